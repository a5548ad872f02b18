using System.Diagnostics;
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
internal sealed class Terminal(bool json)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly IAnsiConsole output = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out), Interactive = Interactive(Console.IsOutputRedirected) });
    private readonly IAnsiConsole progress = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error), Interactive = Interactive(Console.IsErrorRedirected) });

    public bool IsJson => json;

    /// <summary>A line of the result. Not printed with <c>--json</c>.</summary>
    public void Line(string text = "")
    {
        if (!json) Console.Out.WriteLine(text);
    }

    /// <summary>A table or another drawn part of the result. Not printed with <c>--json</c>.</summary>
    public void Write(IRenderable part)
    {
        if (json) return;
        if (Console.IsOutputRedirected) output.Profile.Width = 160;
        output.Write(part);
    }

    /// <summary>A remark for the person who watches; never part of the result.</summary>
    public static void Note(string text) => Console.Error.WriteLine(text);

    /// <summary>The one object of <c>--json</c>. Without it nothing is printed.</summary>
    public void Json(JsonObject result)
    {
        if (json) Console.Out.WriteLine(result.ToJsonString(Indented));
    }

    /// <summary>Runs <paramref name="work"/> under a progress bar that it moves with (done, count, text).</summary>
    public T Progress<T>(string title, Func<Action<int, int, string>, T> work)
    {
        if (Console.IsErrorRedirected) return Plainly(title, work);
        T result = default!;
        progress.Progress().AutoClear(true).HideCompleted(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title));
                result = work((done, count, text) =>
                {
                    if (task.MaxValue != count || done < task.Value)
                    {
                        // A new pass: a new bar, so that the time left is this pass's.
                        task.StopTask();
                        task = context.AddTask(Markup.Escape(text), maxValue: Math.Max(1, count));
                    }
                    task.Description = Markup.Escape(text);
                    task.Value = done;
                });
                task.StopTask();
            });
        return result;
    }

    private static T Plainly<T>(string title, Func<Action<int, int, string>, T> work)
    {
        var since = Stopwatch.StartNew();
        return work((done, count, text) =>
        {
            if (since.Elapsed.TotalSeconds < 15) return;
            since.Restart();
            Console.Error.WriteLine($"{(text.Length == 0 ? title : text)}: {done} of {count}");
        });
    }

    private static InteractionSupport Interactive(bool redirected) => redirected ? InteractionSupport.No : InteractionSupport.Detect;
}
