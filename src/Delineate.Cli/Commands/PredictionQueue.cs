using System.Text.Json.Nodes;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Models;
using Delineate.Tensors;

namespace Delineate.Cli.Commands;

/// <summary>
/// Predicts files one after the other: while the network works on one image the next is read and the one before is written. A large image has the memory for
/// itself. A file that cannot be read or written is named and left out, the others are done.
/// </summary>
/// <param name="terminal">Where failures and remarks go.</param>
/// <param name="predictor">What looks at the images.</param>
/// <param name="files">The images.</param>
/// <param name="write">Writes what was found in a file (its place in the list, the image, the prediction) and tells of it; called for one at a time, in their order.</param>
internal sealed class PredictionQueue(Terminal terminal, Predictor predictor, IReadOnlyList<string> files, Func<int, Image, Prediction, JsonObject> write)
{
    private const int Steps = 1000; // of the progress bar for each image, so that an image of many windows moves it

    private readonly Queue<Task<Image>> reading = []; // the one that is next for the network, and at most one more
    private (int Number, Task<JsonObject> Written)? writing;
    private bool noted;

    /// <summary>Whether to tell of an image that the network sees at less than half its height.</summary>
    public bool NotesReduction { get; init; }

    /// <summary>From how many pixels on an image is large: 100 MB of colours, unless told. Three such at once would be felt, and their windows take far longer than their files.</summary>
    public long LargePixels { get; init; } = 1 << 25;

    /// <summary>What was done, in the files' order.</summary>
    public JsonArray Results { get; } = [];

    /// <summary>What could not be, in the files' order.</summary>
    public JsonArray Failures { get; } = [];

    /// <summary>Does all files; <paramref name="tell"/> moves the progress bar.</summary>
    public void Run(Action<int, int, string> tell, CancellationToken cancel)
    {
        try
        {
            bool isLarge = files.Count > 0 && IsLarge(0);
            for (int i = 0; i < files.Count; i++)
            {
                cancel.ThrowIfCancellationRequested();
                if (isLarge)
                {
                    Finish();
                    ReturnMemory();
                }
                if (reading.Count == 0) Read(i, isLarge, cancel);
                bool nextIsLarge = i + 1 < files.Count && IsLarge(i + 1);
                if (i + 1 < files.Count && !isLarge && !nextIsLarge) Read(i + 1, false, cancel);
                Task<JsonObject> written;
                try
                {
                    written = Predict(i, tell, cancel);
                }
                catch (Exception e) when (IsOfTheFile(e))
                {
                    Finish();
                    written = Task.FromException<JsonObject>(e);
                }
                writing = (i, written);
                Tell(tell, i + 1, 0);
                isLarge = nextIsLarge;
            }
        }
        finally
        {
            Finish();
        }
    }

    private void Read(int i, bool isLarge, CancellationToken cancel) => reading.Enqueue(Task.Run(
        () =>
        {
            Image image = ImageFile.Load(files[i]);
            if (isLarge) ReturnMemory();
            return image;
        },
        cancel));

    /// <summary>Predicts the image that was read and begins to write what was found. A method of its own, so that nothing but the writer holds the image afterwards.</summary>
    private Task<JsonObject> Predict(int i, Action<int, int, string> tell, CancellationToken cancel)
    {
        Image image = reading.Dequeue().GetAwaiter().GetResult();
        NoteReduction(files[i], image);
        Prediction found = predictor.Predict(image, (done, all) => Tell(tell, i, (double)done / all), cancel);
        Finish();
        return Task.Run(() => write(i, image, found), CancellationToken.None);
    }

    /// <summary>Waits for the image that is being written.</summary>
    private void Finish()
    {
        if (writing is not { } pending) return;
        writing = null;
        try
        {
            Results.Add(pending.Written.GetAwaiter().GetResult());
        }
        catch (Exception e) when (IsOfTheFile(e))
        {
            terminal.Note($"error: {e.Message.ReplaceLineEndings(" ")}");
            Failures.Add(new JsonObject { ["file"] = files[pending.Number], ["error"] = e.Message });
        }
    }

    private void NoteReduction(string file, Image image)
    {
        if (!NotesReduction || noted) return;
        Size2d seen = predictor.SeenSize(image.Height, image.Width);
        if (image.Height <= 2 * seen.Height) return;
        noted = true;
        terminal.Note($"{file}: {image.Height}×{image.Width} pixels are seen at {seen}, as the model's preprocessing asks for; with --own-size the network sees them all");
    }

    private void Tell(Action<int, int, string> tell, int done, double share) =>
        tell((int)Math.Round(Steps * (done + share)), Steps * files.Count, Path.GetFileName(files[Math.Min(done, files.Count - 1)]));

    private bool IsLarge(int i)
    {
        try
        {
            ImageHeader header = ImageFile.ReadHeader(files[i]);
            return (long)header.Height * header.Width >= LargePixels;
        }
        catch (Exception e) when (IsOfTheFile(e))
        {
            return false; // what is wrong is told when it is read
        }
    }

    private static bool IsOfTheFile(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>
    /// What a large image leaves behind (its file, a progressive picture's coefficients, the image before) goes at once: the collector, which sees few objects,
    /// would put it off until hundreds of megabytes more are taken.
    /// </summary>
    private static void ReturnMemory() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
}
