using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Delineate.Models;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>Every answer of a server, good and bad, against the file that must come of it.</summary>
public sealed class WeightsCacheTests : IDisposable
{
    private static readonly byte[] Content = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 2654435761 >> 13))];
    private static readonly byte[] Other = [.. Content.Select(b => (byte)(b ^ 1))];
    private static readonly PublishedWeights Toy = new("toy", "toy.pth", Content.Length, Convert.ToHexStringLower(SHA256.HashData(Content)), 0);
    private readonly string root = Path.Combine(Path.GetTempPath(), "delineate-cache-" + Path.GetRandomFileName());
    private readonly List<string> notes = [];

    private string FilePath => Path.Combine(root, "weights", Toy.FileName);

    private string Part => FilePath + ".part";

    private string Mark => Part + ".etag";

    public void Dispose()
    {
        if (Directory.Exists(root)) Directory.Delete(root, recursive: true);
    }

    [Fact]
    public async Task A_file_is_fetched_once_and_then_found()
    {
        using var server = new FileServer(r => FileReply.Of(r, Content));
        var counts = new List<long>();
        Assert.Equal(new PulledWeights(FilePath, IsNew: true), await Open(server).Pull(Toy, counts.Add));
        Assert.Equal(new PulledWeights(FilePath, IsNew: false), await Open(server).Pull(Toy));
        AssertThere();
        FileRequest only = Assert.Single(server.Requests);
        Assert.Equal(("/models/toy.pth", null), (only.Path, only.From));
        Assert.StartsWith("delineate/", only.Fields["User-Agent"], StringComparison.Ordinal);
        Assert.Equal((0L, (long)Content.Length), (counts[0], counts[^1]));
        Assert.Equal(counts.Order(), counts);
        Assert.Empty(notes);
    }

    [Theory]
    [InlineData("\"one\"", "\"one\"")]
    [InlineData("W/\"one\"", null)] // a weak tag does not stand for every byte
    [InlineData(null, null)]
    public async Task A_broken_transfer_goes_on_where_it_ended(string? tag, string? condition)
    {
        using var server = new FileServer(r => FileReply.Of(r, Content, tag) with { CutAfter = r.Number == 0 ? 100_000 : null });
        await Open(server).Pull(Toy, note: notes.Add);
        AssertThere();
        Assert.Equal([null, 100_000], server.Requests.Select(r => r.From));
        Assert.Equal(condition, server.Requests[1].IfRange);
        Assert.Contains("0.1 of 0.3 MB", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_try_goes_on_from_what_an_ended_one_left()
    {
        using (var broken = new FileServer(r => FileReply.Of(r, Content) with { CutAfter = 50_000 }))
            await Assert.ThrowsAsync<DownloadException>(() => Open(broken).Pull(Toy));
        Assert.Equal(Content[..200_000], File.ReadAllBytes(Part)); // four attempts
        using var server = new FileServer(r => FileReply.Of(r, Content));
        await Open(server).Pull(Toy);
        AssertThere();
        Assert.Equal(((int?)200_000, "\"one\""), (server.Requests.Single().From, server.Requests.Single().IfRange));
    }

    [Fact]
    public async Task The_time_of_the_last_change_stands_in_for_a_tag()
    {
        const string Time = "Wed, 21 Oct 2015 07:28:00 GMT";
        using var server = new FileServer(r => FileReply.Of(r, Content, null).With("Last-Modified", Time) with { CutAfter = r.Number == 0 ? 100_000 : null });
        await Open(server).Pull(Toy);
        AssertThere();
        Assert.Equal(Time, server.Requests[1].Fields["If-Range"]);
    }

    [Fact]
    public async Task A_server_that_knows_no_ranges_sends_all_again()
    {
        using var server = new FileServer(r => new FileReply(200, Content) { CutAfter = r.Number == 0 ? 100_000 : null });
        await Open(server).Pull(Toy);
        AssertThere();
        Assert.Equal([null, 100_000], server.Requests.Select(r => r.From));
    }

    [Fact]
    public async Task A_file_that_changed_at_the_server_is_fetched_from_its_beginning()
    {
        LeavePart(Other[..100_000], "\"old\"");
        using var server = new FileServer(r => FileReply.Of(r, Content, "\"new\""));
        await Open(server).Pull(Toy);
        AssertThere();
        Assert.Equal("\"old\"", server.Requests.Single().IfRange);
    }

    [Fact]
    public async Task A_part_of_another_version_is_not_joined_though_the_server_gives_it()
    {
        LeavePart(Other[..100_000], "\"old\"");
        using var server = new FileServer(r => FileReply.Of(r with { Fields = r.Fields.Where(f => f.Key != "If-Range").ToDictionary() }, Content, "\"new\""));
        await Open(server).Pull(Toy, note: notes.Add);
        AssertThere();
        Assert.Equal([100_000, null], server.Requests.Select(r => r.From));
        Assert.StartsWith("the server has no such part of the file", Assert.Single(notes), StringComparison.Ordinal); // told before anything was joined
    }

    [Theory]
    [InlineData(100_000)] // joined with the rest, the hash is wrong: all is fetched again
    [InlineData(300_000)] // as long as the file, but another
    [InlineData(400_000)] // longer
    public async Task What_was_left_and_does_not_fit_is_thrown_away(int length)
    {
        LeavePart(((byte[])[.. Other, .. Other])[..length], null);
        using var server = new FileServer(r => FileReply.Of(r, Content, null));
        await Open(server).Pull(Toy);
        AssertThere();
        Assert.Null(server.Requests[^1].From);
    }

    [Fact]
    public async Task Out_of_range_begins_again()
    {
        LeavePart(Content[..100_000], null);
        using var server = new FileServer(r => r.From is null ? FileReply.Of(r, Content) : new FileReply(416, []));
        await Open(server).Pull(Toy, note: notes.Add);
        AssertThere();
        Assert.Equal([100_000, null], server.Requests.Select(r => r.From));
        Assert.StartsWith("the server has no such part of the file", Assert.Single(notes), StringComparison.Ordinal); // told before anything was joined
    }

    [Fact]
    public async Task A_range_that_was_not_asked_for_begins_again()
    {
        LeavePart(Content[..100_000], null);
        using var server = new FileServer(r => FileReply.Of(r, Content) is { Status: 206 } part ? part.With("Content-Range", "bytes 99999-299999/300000") : FileReply.Of(r, Content));
        await Open(server).Pull(Toy, note: notes.Add);
        AssertThere();
        Assert.Equal([100_000, null], server.Requests.Select(r => r.From));
        Assert.StartsWith("the server has no such part of the file", Assert.Single(notes), StringComparison.Ordinal); // told before anything was joined
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(429)]
    public async Task A_server_in_trouble_is_asked_again(int status)
    {
        using var server = new FileServer(r => r.Number < 2 ? new FileReply(status, []) : FileReply.Of(r, Content));
        await Open(server).Pull(Toy, note: notes.Add);
        AssertThere();
        Assert.Equal(2, notes.Count);
        Assert.All(notes, n => Assert.StartsWith($"the server answers {status}: trying again in", n, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_without_a_told_length_is_taken()
    {
        using var server = new FileServer(r => FileReply.Of(r, Content) with { IsChunked = true });
        await Open(server).Pull(Toy);
        AssertThere();
    }

    [Fact]
    public async Task A_redirection_is_followed_with_the_range()
    {
        LeavePart(Content[..100_000], "\"one\"");
        using var target = new FileServer(r => FileReply.Of(r, Content));
        using var server = new FileServer(_ => new FileReply(302, []).With("Location", target.Address + "/elsewhere"));
        await Open(server).Pull(Toy);
        AssertThere();
        Assert.Equal(("/models/elsewhere", (int?)100_000), (target.Requests.Single().Path, target.Requests.Single().From));
    }

    public static TheoryData<string, FileReply, int> Refusals => new()
    {
        { "there is no such file (404)", new FileReply(404, []), 1 },
        { "there is no such file (410)", new FileReply(410, []), 1 },
        { "the server refuses with 403", new FileReply(403, []), 1 },
        { "points elsewhere too often", new FileReply(302, []).With("Location", "/models/toy.pth"), 6 },
        { "the server's file has 5 bytes, not 300,000: it is another one", new FileReply(200, new byte[5]), 1 },
        { "the server's file has 300,001 bytes", new FileReply(200, Content) { ToldLength = 300_001 }, 1 },
        { "the server sends more than the file's 300,000 bytes", new FileReply(200, [.. Content, 1]) { IsChunked = true }, 1 },
        { "the server answers 500, 4 times", new FileReply(500, []), 4 },
        { "the transfer ended early, 4 times", new FileReply(200, []) { IsChunked = true }, 4 },
        { "the server does not speak HTTP as it should, 4 times", new FileReply(99_999, []), 4 },
        { "the connection ended without an answer, 4 times", new FileReply(0, []), 16 }, // .NET's client itself asks three times more
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task What_cannot_be_had_is_told_in_one_line_with_what_to_do(string problem, FileReply reply, int requests)
    {
        using var server = new FileServer(_ => reply);
        DownloadException e = await Assert.ThrowsAsync<DownloadException>(() => Open(server).Pull(Toy));
        Assert.StartsWith($"{server.Address}/toy.pth cannot be fetched: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.EndsWith($"Fetch {Toy.Address} by hand and put it at {FilePath} (sha256 {Toy.Sha256}), or look at DELINEATE_WEIGHTS_URL, which names this server", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.Equal(requests, server.Requests.Count);
        Assert.False(File.Exists(FilePath));
    }

    [Fact]
    public async Task Another_file_of_the_same_length_is_removed_and_told()
    {
        using var server = new FileServer(r => FileReply.Of(r, Other));
        DownloadException e = await Assert.ThrowsAsync<DownloadException>(() => Open(server).Pull(Toy));
        Assert.Contains($"its sha256 is {Convert.ToHexStringLower(SHA256.HashData(Other))}, not {Toy.Sha256}; it was removed", e.Message, StringComparison.Ordinal);
        Assert.Equal([FilePath + ".lock"], Directory.GetFiles(Path.GetDirectoryName(FilePath)!));
    }

    [Fact]
    public async Task A_server_that_breaks_off_and_has_another_file_is_not_asked_for_ever()
    {
        using var server = new FileServer(r => FileReply.Of(r, Other) is var reply && r.From is null ? reply with { CutAfter = 100_000 } : reply);
        Assert.Contains("it was removed", (await Assert.ThrowsAsync<DownloadException>(() => Open(server).Pull(Toy))).Message, StringComparison.Ordinal);
        Assert.Equal(4, server.Requests.Count);
    }

    [Fact]
    public async Task Nobody_there_is_told_after_a_few_tries()
    {
        string address = FileServer.Nobody();
        DownloadException e = await Assert.ThrowsAsync<DownloadException>(() => Open(address).Pull(Toy, note: notes.Add));
        Assert.Contains($"there is no connection to {new Uri(address).Authority}, 4 times. Fetch {Toy.Address} by hand", e.Message, StringComparison.Ordinal);
        Assert.Equal(3, notes.Count);
    }

    [Fact]
    public async Task A_certificate_of_its_own_making_is_not_trusted()
    {
        using RSA key = RSA.Create(2048);
        var wanted = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using X509Certificate2 made = wanted.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null); // Windows wants its key stored
        using var server = new FileServer(r => FileReply.Of(r, Content), certificate);
        DownloadException e = await Assert.ThrowsAsync<DownloadException>(() => Open(server).Pull(Toy));
        Assert.Contains("does not trust the certificate of 127.0.0.1", e.Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100_000)]
    public async Task A_transfer_that_stands_still_is_begun_anew_from_where_it_stood(int after)
    {
        using var server = new FileServer(r => FileReply.Of(r, Content) with { CutAfter = r.Number == 0 ? after : null, Stalls = r.Number == 0 });
        await Open(server, stall: 3).Pull(Toy, note: notes.Add);
        AssertThere();
        Assert.Equal([null, after == 0 ? null : after], server.Requests.Take(2).Select(r => r.From));
        Assert.StartsWith("the transfer stood still for 3 s", notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transfer_of_a_few_bytes_now_and_then_counts_as_standing_still()
    {
        using var never = new CancellationTokenSource(TimeSpan.FromMinutes(2)); // the drops alone would take half an hour
        using var server = new FileServer(r => FileReply.Of(r, Content) with { CutAfter = r.Number == 0 ? 100_000 : null, Drips = r.Number == 0 });
        await Open(server, stall: 3).Pull(Toy, note: notes.Add, cancel: never.Token);
        AssertThere();
        Assert.InRange(server.Requests[1].From!.Value, 100_000, 104_000);
        Assert.StartsWith("the transfer stood still for 3 s", notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_transfer_leaves_its_part_for_the_next()
    {
        using var cancel = new CancellationTokenSource();
        using (var server = new FileServer(r => FileReply.Of(r, Content) with { CutAfter = 100_000, Stalls = true }))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Open(server).Pull(Toy, have =>
            {
                if (have == 100_000) cancel.Cancel();
            }, cancel: cancel.Token));
        }
        Assert.False(File.Exists(FilePath));
        Assert.Equal(Content[..100_000], File.ReadAllBytes(Part));
        using var second = new FileServer(r => FileReply.Of(r, Content));
        await Open(second).Pull(Toy);
        AssertThere();
        Assert.Equal(((int?)100_000, "\"one\""), (second.Requests.Single().From, second.Requests.Single().IfRange));
    }

    [Fact]
    public async Task Those_who_want_the_same_file_at_once_fetch_it_once()
    {
        using var all = new SemaphoreSlim(0);
        using var server = new FileServer(r =>
        {
            all.Wait(); // until everybody has asked
            return FileReply.Of(r, Content);
        });
        Task<PulledWeights>[] pulls = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() => Open(server).Pull(Toy, note: Note)))];
        while (Waiting() < 3) await Task.Delay(10);
        all.Release(pulls.Length);
        PulledWeights[] pulled = await Task.WhenAll(pulls);
        Assert.Single(pulled, p => p.IsNew);
        Assert.Single(server.Requests);
        AssertThere();

        void Note(string text)
        {
            lock (notes) notes.Add(text);
        }

        int Waiting()
        {
            lock (notes) return notes.Count(n => n.StartsWith("another process is fetching", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_damaged_file_is_replaced_and_only_by_the_right_one()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        File.WriteAllBytes(FilePath, Other);
        using (var bad = new FileServer(_ => new FileReply(404, []))) await Assert.ThrowsAsync<DownloadException>(() => Open(bad).Pull(Toy));
        Assert.Equal(Other, File.ReadAllBytes(FilePath));
        using var server = new FileServer(r => FileReply.Of(r, Content));
        Assert.True((await Open(server).Pull(Toy, note: notes.Add)).IsNew);
        AssertThere();
        Assert.Contains("is damaged", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_is_told()
    {
        if (!OperatingSystem.IsLinux()) return; // /dev/full is a disk that is always full
        Directory.CreateDirectory(Path.GetDirectoryName(Part)!);
        File.CreateSymbolicLink(Part, "/dev/full");
        using var server = new FileServer(r => FileReply.Of(r, Content));
        DownloadException e = await Assert.ThrowsAsync<DownloadException>(() => Open(server).Pull(Toy));
        Assert.StartsWith($"the disk is full: 0.3 MB more are needed for {Part}", e.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_told()
    {
        File.WriteAllText(root, "a file in the way");
        try
        {
            DownloadException e = await Assert.ThrowsAsync<DownloadException>(() => Open(FileServer.Nobody()).Pull(Toy));
            Assert.StartsWith($"nothing can be written to {Path.GetDirectoryName(FilePath)}", e.Message, StringComparison.Ordinal);
            Assert.EndsWith("can be named with DELINEATE_CACHE", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(root);
        }
    }

    [Fact]
    public void The_environment_names_folder_and_mirror()
    {
        Assert.Equal((Path.Combine(root, "weights"), null), (Of((WeightsCache.FolderVariable, root)).Folder, Of((WeightsCache.FolderVariable, root)).Mirror));
        WeightsCache mirrored = Of((WeightsCache.FolderVariable, root), (WeightsCache.AddressVariable, "https://mirror.example/a/b"));
        Assert.Equal(new Uri("https://mirror.example/a/b/toy.pth"), mirrored.AddressOf(Toy));
        Assert.Equal(Toy.Address, Of((WeightsCache.FolderVariable, root)).AddressOf(Toy));
        if (!OperatingSystem.IsLinux()) return;
        Assert.Equal("/caches/delineate/weights", Of(("XDG_CACHE_HOME", "/caches"), ("HOME", "/home/me")).Folder);
        Assert.Equal("/home/me/.cache/delineate/weights", Of(("XDG_CACHE_HOME", "caches"), ("HOME", "/home/me")).Folder);
        Assert.Equal("/home/me/.cache/delineate/weights", Of(("HOME", "/home/me"), ("DELINEATE_CACHE", "")).Folder);
        Assert.Contains("name one with DELINEATE_CACHE", Assert.Throws<DownloadException>(() => Of(("HOME", ""))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mirror.example/models")]
    [InlineData("ftp://mirror.example/models")]
    [InlineData("file:///etc")]
    [InlineData("https://me:secret@mirror.example/models")]
    [InlineData("https://mirror.example/models?key=secret")]
    public void What_is_no_address_of_a_folder_is_refused_and_not_repeated(string address)
    {
        string message = Assert.Throws<DownloadException>(() => Of((WeightsCache.FolderVariable, root), (WeightsCache.AddressVariable, address))).Message;
        Assert.StartsWith("DELINEATE_WEIGHTS_URL takes the address of a folder", message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", message, StringComparison.Ordinal);
    }

    private static WeightsCache Of(params (string Name, string Value)[] environment) => new(name => environment.FirstOrDefault(e => e.Name == name).Value);

    private WeightsCache Open(FileServer server, double stall = 30) => Open(server.Address, stall);

    private WeightsCache Open(string address, double stall = 30) => new(name => name switch
    {
        WeightsCache.FolderVariable => root,
        WeightsCache.AddressVariable => address,
        _ => null,
    })
    {
        Pace = new DownloadPace { Stall = TimeSpan.FromSeconds(stall), Pause = TimeSpan.FromMilliseconds(1) },
    };

    private void LeavePart(byte[] content, string? tag)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Part)!);
        File.WriteAllBytes(Part, content);
        if (tag is not null) File.WriteAllText(Mark, tag);
    }

    /// <summary>The file is there whole, and nothing that a later transfer could take for a part.</summary>
    private void AssertThere()
    {
        Assert.Equal(Content, File.ReadAllBytes(FilePath));
        Assert.Equal([FilePath, FilePath + ".lock"], Directory.GetFiles(Path.GetDirectoryName(FilePath)!).Order(StringComparer.Ordinal));
    }
}
