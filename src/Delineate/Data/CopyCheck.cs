using System.Security.Cryptography;
using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>Finds images that are the same pixel for pixel under different names.</summary>
internal static class CopyCheck
{
    /// <summary>Size and hash of the pixels.</summary>
    public static string ContentOf(Image image) => $"{image.Height}×{image.Width} {Convert.ToHexString(SHA256.HashData(image.Pixels))}";

    /// <summary>Tells of copies among images with their split (null: none) and content; <paramref name="order"/> has the splits, train first.</summary>
    public static void Run(IReadOnlyList<(string Path, string? Split, string Content)> images, IReadOnlyList<string> order, Findings findings)
    {
        List<string> ranks = [.. order];
        foreach (var equal in images.GroupBy(i => i.Content).Where(g => g.Count() > 1))
        {
            // The copy is the one in the later split (train before val), then the one later by name; images of no split are copies of those in one.
            var same = equal.OrderBy(i => i.Split is { } split ? ranks.IndexOf(split) : int.MaxValue).ThenBy(i => i.Path, StringComparer.Ordinal).ToArray();
            string first = Path.GetFileName(same[0].Path);
            foreach ((string path, string? here, _) in same[1..])
            {
                if (here is not null && here != same[0].Split)
                    findings.Error(path, $"the image of '{here}' has the same pixels as {first} of '{same[0].Split}'", NameCheck.SplitsMustDiffer);
                else findings.Warning(path, $"the image has the same pixels as {first}", "take one out, unless it is meant to count twice");
            }
        }
    }
}
