using System.Text.RegularExpressions;
using Delineate.Tensors.Weights;

namespace Delineate.Models;

/// <summary>Names that torchvision's detectors had before version 0.13, in files that are still about.</summary>
internal static partial class DetectorWeights
{
    /// <summary>The tensors under the names of today; those of other networks have theirs already.</summary>
    public static IReadOnlyDictionary<string, RawTensor> Current(IReadOnlyDictionary<string, RawTensor> tensors) =>
        tensors.Keys.Any(name => Current(name) != name) ? tensors.ToDictionary(t => Current(t.Key), t => t.Value) : tensors;

    /// <summary>
    /// <c>backbone.fpn.inner_blocks.0.weight</c> → <c>….0.0.weight</c>, <c>rpn.head.conv.weight</c> → <c>rpn.head.conv.0.0.weight</c>,
    /// <c>roi_heads.mask_head.mask_fcn1.weight</c> → <c>roi_heads.mask_head.0.0.weight</c>.
    /// </summary>
    public static string Current(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (Pyramid().Match(name) is { Success: true } block) return $"{block.Groups[1]}.0.{block.Groups[2]}";
        if (Proposals().Match(name) is { Success: true } conv) return $"{conv.Groups[1]}.0.0.{conv.Groups[2]}";
        if (Masks().Match(name) is { Success: true } layer) return $"{layer.Groups[1]}.{layer.Groups[2].Value[0] - '1'}.0.{layer.Groups[3]}";
        return name;
    }

    [GeneratedRegex(@"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)$")]
    private static partial Regex Pyramid();

    [GeneratedRegex(@"^(rpn\.head\.conv)\.(weight|bias)$")]
    private static partial Regex Proposals();

    [GeneratedRegex(@"^(roi_heads\.mask_head)\.mask_fcn([1-4])\.(weight|bias)$")]
    private static partial Regex Masks();
}
