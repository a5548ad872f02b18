namespace Delineate.Data;

/// <summary>Names of a body's joints in the order of their keypoints.</summary>
public static class KeypointNames
{
    /// <summary>The 17 joints of COCO's persons (https://cocodataset.org/#keypoints-2020).</summary>
    public static IReadOnlyList<string> Coco { get; } =
    [
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ];

    /// <summary>The lines between COCO's joints that make a figure of them, as pairs of places in <see cref="Coco"/>.</summary>
    public static IReadOnlyList<(int From, int To)> CocoSkeleton { get; } =
    [
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5),
        (4, 6),
    ];

    /// <summary>
    /// For each joint the place of the one that it becomes in a mirror: <c>left_knee</c> and <c>right_knee</c> (or <c>l_knee</c>, <c>knee-left</c>, …)
    /// change places, others stay.
    /// </summary>
    public static int[] MirrorOrder(IReadOnlyList<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        List<string> known = [.. names.Select(n => n.ToLowerInvariant())];
        return [.. known.Select((name, i) => known.IndexOf(Mirrored(name)) is >= 0 and var other ? other : i)];
    }

    private static string Mirrored(string name)
    {
        string[] parts = name.Split('_', '-', ' ', '.');
        for (int i = 0, at = 0; i < parts.Length; at += parts[i].Length + 1, i++)
        {
            string? other = parts[i] switch { "left" => "right", "right" => "left", "l" => "r", "r" => "l", _ => null };
            if (other is not null) return string.Concat(name.AsSpan(0, at), other, name.AsSpan(at + parts[i].Length));
        }
        return name;
    }
}
