using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Delineate.Cli;

/// <summary>
/// Where a command's words go: results to standard output, progress to standard error. With <c>--json</c> standard output gets one object and
/// nothing else. Bars and colours appear on a terminal only; elsewhere progress is a line now and then.
/// </summary>
internal sealed class Terminal
{
    private const int PipeWidth = 160;
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(15);
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly bool json;
    private readonly IAnsiConsole output = Open(Console.Out, Console.IsOutputRedirected);
    private readonly IAnsiConsole progress = Open(Console.Error, Console.IsErrorRedirected);
    private bool barShown;

    public Terminal(bool json) => this.json = json;

    /// <summary>A line of the result. Not printed with <c>--json</c>.</summary>
    public void Line(string text = "")
    {
        if (!json) Console.Out.WriteLine(text);
    }

    /// <summary>A table or another drawn part of the result. Not printed with <c>--json</c>.</summary>
    public void Write(IRenderable part)
    {
        if (!json) output.Write(part);
    }

    /// <summary>A line with Spectre's markup, never broken. Not printed with <c>--json</c>.</summary>
    public void MarkedLine(string line)
    {
        if (!json) output.Write(new Markup(line + "\n") { Overflow = Overflow.Fold });
    }

    /// <summary>The columns that a drawn part has.</summary>
    public int Width => output.Profile.Width;

    /// <summary>A remark for the person who watches; never part of the result.</summary>
    public void Note(string text)
    {
        if (barShown) progress.WriteLine(text); // the bar's own console moves the bar below the line
        else Console.Error.WriteLine(text);
    }

    /// <summary>The one object of <c>--json</c>. Without it nothing is printed.</summary>
    public void Json(JsonObject result)
    {
        if (json) Console.Out.WriteLine(result.ToJsonString(Indented));
    }

    /// <summary>The object as a file holds it: the same text as on standard output.</summary>
    public static void SaveJson(string path, JsonObject result) => File.WriteAllText(path, result.ToJsonString(Indented) + "\n");

    /// <summary>Runs <paramref name="work"/> under a progress bar that it moves with (done, count, text), time left included.</summary>
    public T Progress<T>(string title, Func<Action<int, int, string>, T> work)
    {
        var pace = new Pace();
        if (Console.IsErrorRedirected) return Plainly(title, pace, work);
        T result = default!;
        progress.Progress().AutoClear(true).HideCompleted(false)
            .Columns(new ProgressBarColumn { Width = 20 }, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                barShown = true;
                try
                {
                    ProgressTask task = context.AddTask(Markup.Escape(title));
                    result = work((done, count, text) =>
                    {
                        task.MaxValue = Math.Max(1, count);
                        task.Value = done;
                        task.Description = Markup.Escape($"{text}{pace.Left(done, count)}");
                    });
                    task.StopTask();
                }
                finally
                {
                    barShown = false;
                }
            });
        return result;
    }

    private static T Plainly<T>(string title, Pace pace, Func<Action<int, int, string>, T> work)
    {
        var since = Stopwatch.StartNew();
        return work((done, count, text) =>
        {
            string left = pace.Left(done, count);
            if (since.Elapsed < PlainInterval) return;
            since.Restart();
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(text.Length == 0 ? title : text)}  {100.0 * done / Math.Max(1, count):F0} %{left}"));
        });
    }

    private static IAnsiConsole Open(TextWriter writer, bool redirected)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Interactive = redirected ? InteractionSupport.No : InteractionSupport.Detect,
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 } ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (redirected) console.Profile.Width = PipeWidth;
        return console;
    }

    /// <summary>The time left at the mean pace since the first report; the work before it (of an earlier session) does not count.</summary>
    private sealed class Pace
    {
        private readonly Stopwatch clock = new();
        private int first;

        public string Left(int done, int count)
        {
            if (!clock.IsRunning)
            {
                first = done;
                clock.Start();
            }
            if (done <= first || clock.Elapsed.TotalSeconds < 1) return "";
            double seconds = clock.Elapsed.TotalSeconds * (count - done) / (done - first);
            return $"  {Duration(TimeSpan.FromSeconds(Math.Min(seconds, 1e8)))} left";
        }
    }

    /// <summary><c>4:05</c> (minutes and seconds) or <c>27:04:05</c>.</summary>
    internal static string Duration(TimeSpan time) => string.Create(
        CultureInfo.InvariantCulture, $"{(time.TotalHours >= 1 ? $"{(long)time.TotalHours}:{time.Minutes:00}" : $"{time.Minutes}")}:{time.Seconds:00}");
}
