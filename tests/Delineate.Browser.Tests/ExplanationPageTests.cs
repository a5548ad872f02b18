using System.Text.Json;
using Delineate.Explain;
using Delineate.Explain.Topics;
using Delineate.Tests.Explain;
using Microsoft.Playwright;
using Xunit;

namespace Delineate.Browser.Tests;

public sealed class ExplanationPageTests(BrowserFixture browser) : IClassFixture<BrowserFixture>
{
    [BrowserTheory]
    [MemberData(nameof(Examples.Topics), MemberType = typeof(Examples))]
    public async Task Steps_go_forth_and_back_by_button_slider_and_keyboard_and_play(string topic)
    {
        Explanation explained = Examples.Of(topic);
        int last = explained.Steps.Count;
        await using OpenPage opened = await browser.Open(ExplanationPage.Html(explained, Language.En));
        IPage page = opened.Page;
        Assert.Equal(1, await Shown(page));
        await page.ClickAsync("#forth");
        Assert.Equal(2, await Shown(page));
        await page.Keyboard.PressAsync("ArrowRight");
        Assert.Equal(Math.Min(3, last), await Shown(page));
        await page.Keyboard.PressAsync("ArrowLeft");
        await page.Keyboard.PressAsync("ArrowLeft");
        Assert.Equal(1, await Shown(page));
        Assert.True(await page.IsDisabledAsync("#back"));
        await page.Keyboard.PressAsync("End");
        Assert.Equal(last, await Shown(page));
        Assert.True(await page.IsDisabledAsync("#forth"));
        await page.FillAsync("#place", "2");
        Assert.Equal(2, await Shown(page));
        Assert.Equal($"2 / {last}", await page.TextContentAsync("#count"));
        await page.Keyboard.PressAsync("Home");
        await page.ClickAsync("#play");
        await page.WaitForFunctionAsync("() => document.querySelector('#count').textContent.startsWith('2 ')");
        if (last > 4) await page.ClickAsync("#play"); // shorter ones may have come to their end, where playing stops by itself
        else await page.Keyboard.PressAsync("End");
        Assert.StartsWith("▶", await page.TextContentAsync("#play"), StringComparison.Ordinal);
    }

    [BrowserFact]
    public async Task A_number_that_is_changed_changes_all_that_follow()
    {
        Explanation explained = ConvTopic.Explain(ConvTopic.Default);
        await using OpenPage opened = await browser.Open(ExplanationPage.Html(explained, Language.En));
        IPage page = opened.Page;
        await page.ClickAsync("#editors summary");
        await page.FillAsync("input[aria-label='X[0,1]']", "-2.5"); // it was 1
        Grid y = explained.Sheet.Grids.Single(g => g.Name == "Y");
        Assert.Equal("254.5", await page.TextContentAsync($"#step2 [data-cell='{y[0, 0]}']")); // times the kernel's 1
        Assert.Equal("294", await page.TextContentAsync($"#step2 [data-cell='{y[0, 1]}']")); // times its 0
        Assert.Equal("Y[0,0] = 0·0 + (−2.5)·1 + 2·2 + 4·3 + 5·4 + 6·5 + 8·6 + 9·7 + 10·8 = 254.5", await page.TextContentAsync("#step2 .working"));
        Assert.True(await page.IsVisibleAsync(".given"));
        await page.ClickAsync("#reset");
        Assert.Equal("258", await page.TextContentAsync($"#step2 [data-cell='{y[0, 0]}']"));
        Assert.Equal("1", await page.InputValueAsync("input[aria-label='X[0,1]']"));
    }

    [BrowserFact]
    public async Task A_label_that_is_changed_becomes_right_or_wrong()
    {
        Explanation explained = ConfusionMatrixTopic.Explain(new ConfusionOptions());
        await using OpenPage opened = await browser.Open(ExplanationPage.Html(explained, Language.Zh));
        IPage page = opened.Page;
        Grid prediction = explained.Sheet.Grids.Single(g => g.Name == "P"), iou = explained.Sheet.Grids.Single(g => g.Name == "mean IoU");
        string box = $"#step1 rect[data-label='{prediction[0, 2]}']";
        Assert.Contains("f-wrong", await page.GetAttributeAsync(box, "class"), StringComparison.Ordinal);
        string before = (await page.TextContentAsync($"[data-cell='{iou.First}'] >> nth=0"))!;
        await page.ClickAsync("#editors summary");
        await page.FillAsync("input[aria-label='P[0,2]']", "1");
        Assert.Contains("f-right", await page.GetAttributeAsync(box, "class"), StringComparison.Ordinal);
        Assert.NotEqual(before, await page.TextContentAsync($"[data-cell='{iou.First}'] >> nth=0"));
    }

    [BrowserFact]
    public async Task The_page_computes_50_random_transposed_convolutions_as_the_library_does()
    {
        var random = new Random(11);
        await using OpenPage opened = await browser.Open("<!DOCTYPE html><title>empty</title>");
        for (int done = 0; done < 50;)
        {
            WindowOptions options = Random(random);
            if (options.Transposed is not ( > 0, > 0) || options.Transposed.Height * options.Transposed.Width > 256) continue;
            // The page is of other numbers; it is given these, and has to compute all that follows from them.
            WindowOptions other = options with { Input = Numbers(random, options.Input.Height, options.Input.Width), Kernel = Numbers(random, options.Kernel.Height, options.Kernel.Width) };
            Explanation wanted = ConvTransposeTopic.Explain(options), shown = ConvTransposeTopic.Explain(other); // checked against the library
            await opened.Page.SetContentAsync(ExplanationPage.Html(shown, Language.En));
            object[][] given = [.. wanted.Sheet.Grids.Where(g => g.IsGiven).SelectMany(g => g.Cells).Select(cell => new object[] { cell, wanted.Sheet[cell] })];
            await opened.Page.EvaluateAsync("given => given.forEach(([cell, value]) => window.explainSheet.set(cell, value))", given);
            JsonElement values = (await opened.Page.EvaluateAsync<JsonElement>("() => window.explainSheet.values()"))!;
            foreach (string view in (string[])["Y₁", "Y₂", "Y₃", "C·Cᵀ", "C·y"])
            {
                Grid grid = wanted.Sheet.Grids.Single(g => g.Name == view);
                Assert.All(grid.Cells, cell => Assert.Equal(wanted.Sheet[cell], values[cell].GetDouble(), 1e-9));
            }
            done++;
        }
    }

    [BrowserTheory]
    [MemberData(nameof(Examples.Topics), MemberType = typeof(Examples))]
    public async Task Pages_can_be_read_on_a_phone_and_in_the_dark(string topic)
    {
        Explanation explained = Examples.Of(topic);
        foreach ((Language language, bool isDark) in ((Language, bool)[])[(Language.En, false), (Language.Zh, true)])
        {
            await using OpenPage opened = await browser.Open(ExplanationPage.Html(explained, language), 390, 800, isDark);
            IPage page = opened.Page;
            for (int i = 1; i <= explained.Steps.Count; i++)
            {
                // Wide figures scroll by themselves; the page does not.
                Assert.Equal(390, await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
                await page.Keyboard.PressAsync("ArrowRight");
            }
            int[] colors = await page.EvaluateAsync<int[]>("() => [document.body, document.querySelector('h1')].flatMap((e, i) => { const c = getComputedStyle(e)[i ? 'color' : 'backgroundColor'].match(/\\d+/g); return [Number(c[0])]; })");
            Assert.Equal(isDark, colors[0] < 60);
            Assert.Equal(isDark, colors[1] > 190);
            if (Environment.GetEnvironmentVariable("DELINEATE_SCREENSHOTS") is { Length: > 0 } folder)
                await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"{topic}-{language}.png") });
        }
    }

    [BrowserFact]
    public async Task Without_script_all_steps_stand_below_each_other()
    {
        Explanation explained = ConvTopic.Explain(ConvTopic.Default);
        string html = ExplanationPage.Html(explained, Language.En);
        int script = html.IndexOf("<script>", StringComparison.Ordinal);
        await using OpenPage opened = await browser.Open(html[..script] + "</body></html>");
        for (int i = 1; i <= explained.Steps.Count; i++) Assert.True(await opened.Page.IsVisibleAsync($"#step{i}"));
        Assert.False(await opened.Page.IsVisibleAsync("nav"));
    }

    private static async Task<int> Shown(IPage page)
    {
        int[] shown = await page.EvaluateAsync<int[]>("() => [...document.querySelectorAll('.step')].flatMap((s, i) => s.hidden ? [] : [i + 1])");
        return Assert.Single(shown);
    }

    private static WindowOptions Random(Random random)
    {
        int stride = random.Next(1, 4), dilation = random.Next(1, 4);
        return new WindowOptions
        {
            Input = Numbers(random, random.Next(1, 5), random.Next(1, 5)),
            Kernel = Numbers(random, random.Next(1, 4), random.Next(1, 4)),
            Stride = stride,
            Padding = random.Next(0, 4),
            Dilation = dilation,
            OutputPadding = random.Next(0, Math.Max(stride, dilation)),
        };
    }

    private static Matrix Numbers(Random random, int height, int width) => new(height, width, [.. Enumerable.Range(0, height * width).Select(_ => (double)random.Next(-9, 10) / 2)]);
}
