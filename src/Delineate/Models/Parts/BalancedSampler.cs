using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// Draws the candidates that a detector learns from: of the matched ones <paramref name="positiveShare"/> of <paramref name="batchSize"/> at most, of the
/// background as many as then lack. Each draw is the next of the thread's <see cref="RandomScope"/>, so that a resumed training repeats it.
/// </summary>
/// <param name="batchSize">Candidates of an image.</param>
/// <param name="positiveShare">The largest share of matched ones, 0…1.</param>
public sealed class BalancedSampler(int batchSize, double positiveShare)
{
    private readonly int batchSize =
        batchSize >= 0 ? batchSize : throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, "the candidates of an image are 0 or more");

    private readonly double positiveShare =
        positiveShare is >= 0 and <= 1 ? positiveShare
        : throw new ArgumentOutOfRangeException(nameof(positiveShare), positiveShare, "the share of matched candidates is 0…1");

    /// <summary>
    /// The places of what was drawn, rising. Takes what <see cref="Matcher.Match"/> gave: 0 and more are matches, <see cref="Matcher.Background"/> is
    /// background, the rest is never drawn.
    /// </summary>
    public (int[] Positives, int[] Negatives) Sample(ReadOnlySpan<int> matches)
    {
        int positives = 0, negatives = 0;
        foreach (int match in matches)
        {
            if (match >= 0) positives++;
            else if (match == Matcher.Background) negatives++;
        }
        int fromPositives = Math.Min(positives, (int)(batchSize * positiveShare));
        int fromNegatives = Math.Min(negatives, batchSize - fromPositives);
        Philox random = RandomScope.Next();
        int[] chosenPositives = Subset(random, positives, fromPositives), chosenNegatives = Subset(random, negatives, fromNegatives);

        // The numbers among their kind become places among all.
        (positives, negatives) = (0, 0);
        int p = 0, n = 0;
        for (int place = 0; place < matches.Length; place++)
        {
            if (matches[place] >= 0)
            {
                if (p < chosenPositives.Length && chosenPositives[p] == positives++) chosenPositives[p++] = place;
            }
            else if (matches[place] == Matcher.Background)
            {
                if (n < chosenNegatives.Length && chosenNegatives[n] == negatives++) chosenNegatives[n++] = place;
            }
        }
        return (chosenPositives, chosenNegatives);
    }

    /// <summary><paramref name="count"/> of the numbers 0 … <paramref name="among"/> − 1, rising, every subset equally likely (Floyd's algorithm).</summary>
    private static int[] Subset(Philox random, int among, int count)
    {
        var chosen = new HashSet<int>(count);
        for (int last = among - count; last < among; last++)
        {
            if (!chosen.Add(random.NextInt(last + 1))) chosen.Add(last);
        }
        int[] rising = [.. chosen];
        Array.Sort(rising);
        return rising;
    }
}
