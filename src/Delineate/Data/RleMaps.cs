using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>Between masks of single objects and pictures that number or name the objects of an image.</summary>
public static class RleMaps
{
    /// <summary>One mask for each id above 0, by rising id. [H, W] → masks of [H, W].</summary>
    public static IReadOnlyList<(int Id, Rle Mask)> Masks(this IdMap ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var growing = new SortedDictionary<int, Growing>();
        (int height, int width) = (ids.Height, ids.Width);
        (int id, int start, int place) = (0, 0, 0);
        for (int x = 0; x < width; x++)
        {
            for (int y = 0, i = x; y < height; y++, i += width, place++)
            {
                if (ids.Ids[i] == id) continue;
                Close();
                (id, start) = (ids.Ids[i], place);
            }
        }
        Close();
        return [.. growing.Select(g => (g.Key, g.Value.Finish(place)))];

        void Close()
        {
            if (id <= 0) return;
            if (!growing.TryGetValue(id, out Growing? mask)) growing[id] = mask = new Growing(height, width);
            mask.Add(start, place);
        }
    }

    /// <summary>
    /// The class of every pixel as the objects say: their label inside their masks, the background's 0 elsewhere, and <paramref name="ignoreIndex"/>
    /// where masks overlap, and all over an object of which only the box is known. [H, W].
    /// </summary>
    public static LabelMap ToLabels(this IReadOnlyList<Instance> objects, int height, int width, byte ignoreIndex = 255)
    {
        ArgumentNullException.ThrowIfNull(objects);
        var map = new LabelMap(height, width);
        byte[] labels = map.Labels;
        foreach (Instance thing in objects.Where(o => o.Mask is not null))
        {
            foreach ((int start, int length) in thing.Mask!.Runs())
            {
                (int x, int y) = Math.DivRem(start, height);
                for (int k = 0, i = (y * width) + x; k < length; k++)
                {
                    labels[i] = labels[i] == 0 ? (byte)thing.Label : ignoreIndex;
                    if (++y < height) i += width;
                    else (y, i) = (0, ++x);
                }
            }
        }
        foreach (Instance thing in objects.Where(o => o.Mask is null))
        {
            Box box = thing.Box.Clip(height, width);
            (int left, int right) = ((int)Math.Floor(box.X1), (int)Math.Ceiling(box.X2));
            for (int y = (int)Math.Floor(box.Y1); y < (int)Math.Ceiling(box.Y2); y++) labels.AsSpan((y * width) + left, right - left).Fill(ignoreIndex);
        }
        return map;
    }

    private sealed class Growing(int height, int width)
    {
        private readonly Rle.RunList runs = new(height, width);
        private int end;

        public void Add(int from, int to)
        {
            runs.Add(from - end, false);
            runs.Add(to - from, true);
            end = to;
        }

        public Rle Finish(int pixels)
        {
            runs.Add(pixels - end, false);
            return runs.ToRle();
        }
    }
}
