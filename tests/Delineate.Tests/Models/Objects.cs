using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Tests.Models;

/// <summary>Made-up images for detectors: noise with a bright rectangle of each class, and their truth.</summary>
internal static class Objects
{
    /// <summary>The background and two classes of things.</summary>
    public static readonly ClassTable Classes = new(["background", "tall", "wide"]) { Background = 0 };

    /// <summary>An image with a tall and a wide rectangle where <paramref name="seed"/> says, or without any.</summary>
    public static Sample Sample(int seed, int height = 64, int width = 96, bool isEmpty = false)
    {
        var random = new Random(seed);
        var image = new Image(height, width);
        for (int i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)random.Next(60);
        Instance[] objects = isEmpty ? [] : [Draw(1, 12, 30), Draw(2, 32, 14)];
        return new Sample($"image {seed}", image, new Annotation { Instances = objects });

        Instance Draw(int label, int w, int h)
        {
            (int left, int top) = (random.Next(width - w), random.Next(height - h));
            byte[] mask = new byte[height * width];
            for (int y = top; y < top + h; y++)
            {
                for (int x = left; x < left + w; x++)
                {
                    image.Pixels[(((y * width) + x) * 3) + label] = (byte)(180 + random.Next(60));
                    mask[(y * width) + x] = 1;
                }
            }
            return new Instance
            {
                Label = label,
                Box = new Box(left, top, left + w, top + h),
                Mask = Rle.Encode(mask, height, width),
                Keypoints = [new Keypoint(left + 1, top + 1, 2), new Keypoint(left + w - 1, top + h - 1, 2)],
            };
        }
    }
}
