using Xunit;

namespace Delineate.Cli.Tests;

public class CommandRunnerTests
{
    [Theory]
    [InlineData("there is no command 'modles': did you mean 'models'?. See 'delineate --help'", "modles")]
    [InlineData("there is no command 'chek': did you mean 'check'?. See 'delineate data --help'", "data", "chek", "x")]
    [InlineData("there is no option '--dta': did you mean '--data'?. See 'delineate train --help'", "train", "--dta", "x")]
    [InlineData("'extra' is one argument too many. See 'delineate models --help'", "models", "unet", "extra")]
    [InlineData("--classes takes a whole number from 1 to 255, not 'x'. See 'delineate models --help'", "models", "--classes", "x")]
    [InlineData("--threads takes a whole number from 1 to 256, not '0'. See 'delineate train --help'", "train", "--threads", "0")]
    [InlineData("--size takes original or network, not 'nework'. See 'delineate eval --help'", "eval", "--weights", "w", "--data", "d", "--size", "nework")]
    [InlineData("--opacity takes a number from 0 to 1, not '2'. See 'delineate predict --help'", "predict", "a", "--weights", "w", "-o", "o", "--opacity", "2")]
    [InlineData("Option '--weights' is required. See 'delineate predict --help'", "predict", "a", "-o", "o")]
    [InlineData("there is no file no-such-file", "eval", "--weights", "no-such-file", "--data", "d")]
    [InlineData("no-such-folder: there is no such folder", "data", "check", "no-such-folder")]
    [InlineData("there is no run folder no-such-run", "train", "--resume", "no-such-run")]
    public void A_mistake_is_one_line_and_exit_code_2(string message, params string[] args)
    {
        CliRun run = CliRun.Of(args);
        Assert.Equal((CommandRunner.UserMistake, "", $"error: {message}"), (run.Code, run.Output, run.Errors.TrimEnd()));
    }

    [Theory]
    [InlineData("Commands:")]
    [InlineData("Commands:", "data")]
    [InlineData("Usage:", "predict", "--help")]
    [InlineData("delineate 0.1.0", "--version")]
    public void Help_and_version_go_to_standard_output(string expected, params string[] args)
    {
        CliRun run = CliRun.Of(args);
        Assert.Equal((0, ""), (run.Code, run.Errors));
        Assert.Contains(expected, run.Output);
    }

    [Fact]
    public void Faults_of_the_program_are_not_explained_as_mistakes_of_the_user()
    {
        Assert.Null(CommandRunner.Explain(new InvalidOperationException("x")));
        Assert.Null(CommandRunner.Explain(new NullReferenceException()));
        Assert.Equal("there is no file a.png", CommandRunner.Explain(new FileNotFoundException("long words", "a.png")));
        Assert.Equal("x", CommandRunner.Explain(new AggregateException(new UserException("x"))));
    }
}
