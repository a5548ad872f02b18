using System.Security.Cryptography;
using Delineate.Data;

namespace Delineate.Models;

/// <summary>
/// A weight file that the authors of a network publish: where it lies, and how to tell that a file is it. Names, addresses and figures are those of
/// torchvision's own list of weights; lengths and hashes agree with that list's sizes and with the start of the hash in each name.
/// </summary>
/// <param name="Name">The name of the weights: the model of <see cref="ModelCatalog"/> that they are for.</param>
/// <param name="FileName">The file's name at the publisher.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">The SHA-256 of its bytes, in small hexadecimal digits.</param>
/// <param name="MeanIou">In percent, on COCO val2017 with the classes of PASCAL VOC, as its publisher measured it.</param>
public sealed record PublishedWeights(string Name, string FileName, long Bytes, string Sha256, double MeanIou)
{
    private const string Folder = "https://download.pytorch.org/models/";

    /// <summary>Every file that <see cref="WeightsCache"/> can fetch. Weights of a backbone alone are not among them: no command takes them.</summary>
    public static IReadOnlyList<PublishedWeights> All { get; } =
    [
        new("fcn_resnet50", "fcn_resnet50_coco-1167a1af.pth", 141_567_418, "1167a1affa42e1e62858f8d3fac12d109e0108327ffc91c5855a324b11683c36", 60.5),
        new("fcn_resnet101", "fcn_resnet101_coco-7ecb50ca.pth", 217_800_805, "7ecb50ca17844860a70d5ed0c748d997cf8adb62932abaa0233430c68594d749", 63.7),
        new("deeplabv3_resnet50", "deeplabv3_resnet50_coco-cd0a2569.pth", 168_312_152, "cd0a25694c4a0f7106b38f4938bf90a874f2f241cc410b8f63c7024399538f06", 66.4),
        new("deeplabv3_resnet101", "deeplabv3_resnet101_coco-586e9e4e.pth", 244_545_539, "586e9e4e203fcbf17e1ad45533d8d33ab133fc762bf03101c5dd743995c08c0d", 67.4),
        new("deeplabv3_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large-fc3c493d.pth", 44_356_159, "fc3c493d68e89cc31ef488c803d5d7dd2f3190fb570598faa49fef69be8e5e70", 60.3),
        new("lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large-d234d4ea.pth", 13_097_061, "d234d4eae9d55d5f76de18b77cf0dc62c66fe5c5482758209d00f950c92bb280", 57.9),
    ];

    /// <summary>Where its publisher keeps it.</summary>
    public Uri Address { get; } = new(Folder + FileName);

    /// <summary>Under what terms it comes, as far as they are stated.</summary>
    public string License { get; } = "torchvision's code is BSD-3-Clause; its authors state no licence for the weights, and leave it to you whether the data's terms allow your use";

    /// <summary>What the weights learnt from, and its terms.</summary>
    public string TrainedOn { get; } = "COCO 2017 with the 20 classes of PASCAL VOC (annotations CC BY 4.0, images under their owners' terms at Flickr), from a backbone trained on ImageNet";

    /// <summary>The weights of this name.</summary>
    /// <exception cref="UnknownModelException">There are none; the message has the near names.</exception>
    public static PublishedWeights Of(string name) => Among(All, name);

    internal static PublishedWeights Among(IReadOnlyList<PublishedWeights> all, string name) => all.FirstOrDefault(w => w.Name == name)
        ?? throw new UnknownModelException($"there are no published weights '{name}': {NearNames.Suggest(name, [.. all.Select(w => w.Name)])}");

    /// <summary>Whether a file is there and is this one, by its length and all of its bytes.</summary>
    public async Task<bool> IsAt(string path, CancellationToken cancel = default)
    {
        var file = new FileInfo(path);
        return file.Exists && file.Length == Bytes && await HashOf(path, cancel) == Sha256;
    }

    internal static async Task<string> HashOf(string path, CancellationToken cancel)
    {
        await using FileStream file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancel));
    }
}
