using Delineate.Models.Parts;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class KeypointDecodingTests
{
    private static readonly float[] Box = [10, 20, 66, 48]; // 56 wide: a cell is a pixel wide and half a pixel high

    [Theory]
    [InlineData(10, 20, 0)]
    [InlineData(10.99f, 20.4f, 0)]
    [InlineData(11, 20.5f, 57)]
    [InlineData(65.9f, 47.9f, (56 * 56) - 1)]
    [InlineData(66, 48, (56 * 56) - 1)] // on the right and lower edge: the last cell
    [InlineData(66.1f, 30, -1)]
    [InlineData(9.9f, 30, -1)]
    [InlineData(30, 19.9f, -1)]
    [InlineData(30, 48.5f, -1)]
    [InlineData(float.NaN, 30, -1)]
    public void A_joint_belongs_to_the_cell_that_it_lies_in(float x, float y, int place) => Assert.Equal(place, KeypointDecoding.Place(x, y, Box, 56));

    [Theory]
    [InlineData(3, 4, 60.5f, 33.3f)] // wider and less high than the map
    [InlineData(0.25f, 0.5f, 0.5f, 0.75f)] // counts as one pixel
    [InlineData(100, 10, 300.7f, 171.2f)]
    public void A_joint_is_the_largest_value_of_its_map_enlarged_bicubically(float x1, float y1, float x2, float y2)
    {
        const int Size = 7, Joints = 3;
        var random = new Random(5);
        Tensor maps = Tensor.From([.. Enumerable.Range(0, 2 * Size * Size * Joints).Select(_ => (random.NextSingle() * 4) - 2)], [2, Size, Size, Joints]);
        float[] boxes = [0, 0, 9, 9, x1, y1, x2, y2];
        (float[] keypoints, float[] scores) = KeypointDecoding.Decode(maps, boxes);
        Assert.Equal((2 * Joints * 3, 2 * Joints), (keypoints.Length, scores.Length));
        for (int joint = 0; joint < Joints; joint++)
        {
            (double x, double y, double score) = Reference(maps, 1, joint, boxes[4..]);
            int at = Joints + joint;
            Assert.Equal(score, scores[at], 1e-4);
            Assert.Equal(x, keypoints[3 * at], 1e-3);
            Assert.Equal(y, keypoints[(3 * at) + 1], 1e-3);
            Assert.Equal(1, keypoints[(3 * at) + 2]);
        }
    }

    [Fact]
    public void No_maps_give_no_joints()
    {
        (float[] keypoints, float[] scores) = KeypointDecoding.Decode(Tensor.Zeros([0, 56, 56, 17]), []);
        Assert.Empty(keypoints);
        Assert.Empty(scores);
    }

    /// <summary>Keys' cubic with a = −0.75 in double, over all pixels.</summary>
    private static (double X, double Y, double Score) Reference(Tensor maps, int d, int joint, float[] box)
    {
        (int size, int joints) = (maps.Shape[1], maps.Shape[3]);
        double width = Math.Max(box[2] - box[0], 1), height = Math.Max(box[3] - box[1], 1);
        (int columns, int rows) = ((int)Math.Ceiling(width), (int)Math.Ceiling(height));
        (double X, double Y, double Score) best = (0, 0, double.NegativeInfinity);
        for (int y = 0; y < rows; y++)
        {
            for (int x = 0; x < columns; x++)
            {
                double placeY = ((y + 0.5) * size / rows) - 0.5, placeX = ((x + 0.5) * size / columns) - 0.5, sum = 0;
                for (int i = -1; i <= 2; i++)
                {
                    for (int j = -1; j <= 2; j++)
                    {
                        (int row, int column) = ((int)Math.Floor(placeY) + i, (int)Math.Floor(placeX) + j);
                        double weight = Cubic(placeY - row) * Cubic(placeX - column);
                        sum += weight * maps.Span[(((((d * size) + Math.Clamp(row, 0, size - 1)) * size) + Math.Clamp(column, 0, size - 1)) * joints) + joint];
                    }
                }
                if (sum > best.Score) best = (((x + 0.5) * width / columns) + box[0], ((y + 0.5) * height / rows) + box[1], sum);
            }
        }
        return best;

        static double Cubic(double distance)
        {
            const double A = -0.75;
            double t = Math.Abs(distance);
            return t <= 1 ? ((((A + 2) * t) - (A + 3)) * t * t) + 1 : t < 2 ? (((((t - 5) * t) + 8) * t) - 4) * A : 0;
        }
    }
}
