using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Spectre.Console;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate models</c>: what can be trained.</summary>
internal static class ModelsCommand
{
    public static Command Create()
    {
        Option<int> classes = SharedOptions.Whole("--classes", "Count parameters for so many classes", 1, 255, 21);
        Option<bool> json = SharedOptions.Json();
        var command = new Command("models", "List the networks that can be trained") { classes, json };
        command.SetAction(parsed =>
        {
            var terminal = new Terminal(parsed.GetValue(json));
            int count = parsed.GetValue(classes);
            var table = new ClassTable(Enumerable.Range(0, count).Select(i => $"class {i}"));
            var list = new JsonArray();
            Table shown = new Table().Border(TableBorder.Simple).AddColumn("model").AddColumn(new TableColumn("parameters").RightAligned()).AddColumn("what it is");
            foreach (string name in ModelCatalog.Names)
            {
                long parameters = ModelCatalog.Create(name, new ModelOptions(), table).Network.ParameterCount();
                string about = ModelCatalog.Describe(name);
                shown.AddRow(Markup.Escape(name), parameters.ToString("N0", CultureInfo.InvariantCulture), Markup.Escape(about));
                list.Add(new JsonObject { ["name"] = name, ["task"] = "semantic", ["classes"] = count, ["parameters"] = parameters, ["about"] = about });
            }
            terminal.Write(shown);
            terminal.Json(new JsonObject { ["models"] = list });
            return 0;
        });
        return command.WithExamples("delineate models", "delineate models --classes 2 --json");
    }
}
