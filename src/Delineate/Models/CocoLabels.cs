namespace Delineate.Models;

/// <summary>The class names of weights that others trained on COCO (https://cocodataset.org), in the order of their labels.</summary>
internal static class CocoLabels
{
    /// <summary>What label 0 stands for.</summary>
    public const string Background = "background";

    /// <summary>91 names: label i is COCO's category i, of which ten were never used.</summary>
    public static readonly IReadOnlyList<string> Names =
    [
        "background", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light", "fire hydrant",
        "N/A 12", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe",
        "N/A 26", "backpack", "umbrella", "N/A 29", "N/A 30", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
        "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", "N/A 45", "wine glass", "cup", "fork", "knife",
        "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
        "potted plant", "bed", "N/A 66", "dining table", "N/A 68", "N/A 69", "toilet", "N/A 71", "tv", "laptop", "mouse", "remote", "keyboard",
        "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "N/A 83", "book", "clock", "vase", "scissors", "teddy bear",
        "hair drier", "toothbrush",
    ];
}
