using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Delineate.Testing;

/// <summary>What a client asked for. Names of header fields are compared without case.</summary>
public sealed record FileRequest(int Number, string Path, IReadOnlyDictionary<string, string> Fields)
{
    /// <summary>The first byte of the wanted range; null where the whole file is wanted.</summary>
    public int? From => Fields.TryGetValue("Range", out string? range) ? int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture) : null;

    /// <summary>The ETag on which the range depends.</summary>
    public string? IfRange => Fields.GetValueOrDefault("If-Range");
}

/// <summary>What the server says, and how badly. With status 0 it says nothing.</summary>
public sealed record FileReply(int Status, byte[] Body)
{
    public IReadOnlyDictionary<string, string> Fields { get; init; } = new Dictionary<string, string>();

    /// <summary>So many bytes of the body are sent, then the connection ends, or with <see cref="Stalls"/> nothing more comes, with <see cref="Drips"/> a byte now and then.</summary>
    public int? CutAfter { get; init; }

    public bool Stalls { get; init; }

    public bool Drips { get; init; }

    /// <summary>In pieces with the length of each before it, so that the length of all is not told.</summary>
    public bool IsChunked { get; init; }

    /// <summary>The length that is told, where it is not the body's.</summary>
    public int? ToldLength { get; init; }

    /// <summary>What a good server answers that has <paramref name="content"/> in the version <paramref name="tag"/>.</summary>
    public static FileReply Of(FileRequest request, byte[] content, string? tag = "\"one\"")
    {
        var fields = new Dictionary<string, string> { ["Accept-Ranges"] = "bytes" };
        if (tag is not null) fields["ETag"] = tag;
        if (request.From is not { } from || (request.IfRange is { } wanted && wanted != tag)) return new FileReply(200, content) { Fields = fields };
        if (from >= content.Length) return new FileReply(416, []) { Fields = new Dictionary<string, string> { ["Content-Range"] = $"bytes */{content.Length}" } };
        fields["Content-Range"] = $"bytes {from}-{content.Length - 1}/{content.Length}";
        return new FileReply(206, content[from..]) { Fields = fields };
    }

    public FileReply With(string name, string value) => this with { Fields = new Dictionary<string, string>(Fields) { [name] = value } };
}

/// <summary>A web server on this machine that answers as well or as badly as a test wants, each request on a connection of its own.</summary>
public sealed class FileServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource end = new();
    private readonly ConcurrentQueue<FileRequest> requests = new();
    private readonly Func<FileRequest, FileReply> answer;
    private readonly X509Certificate2? certificate;

    public FileServer(Func<FileRequest, FileReply> answer, X509Certificate2? certificate = null)
    {
        (this.answer, this.certificate) = (answer, certificate);
        listener.Start();
        Address = $"{(certificate is null ? "http" : "https")}://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/models";
        _ = Accept();
    }

    /// <summary>The address of its folder, without a slash at the end.</summary>
    public string Address { get; }

    public IReadOnlyList<FileRequest> Requests => [.. requests];

    /// <summary>An address on this machine where nobody listens.</summary>
    public static string Nobody()
    {
        using var server = new FileServer(_ => new FileReply(200, []));
        return server.Address;
    }

    public void Dispose()
    {
        end.Cancel();
        listener.Dispose();
    }

    private async Task Accept()
    {
        try
        {
            while (true) _ = Serve(await listener.AcceptTcpClientAsync(end.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // the test is over
        }
    }

    private async Task Serve(TcpClient client)
    {
        using TcpClient own = client;
        try
        {
            Stream stream = client.GetStream();
            if (certificate is not null)
            {
                var secure = new SslStream(stream);
                await secure.AuthenticateAsServerAsync(certificate);
                stream = secure;
            }
            FileRequest request = await Read(stream);
            requests.Enqueue(request);
            await Send(stream, answer(request));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // the client has gone
        }
    }

    private async Task<FileRequest> Read(Stream stream)
    {
        var reader = new StreamReader(stream, Encoding.Latin1);
        string[] first = (await reader.ReadLineAsync(end.Token) ?? throw new IOException("no request")).Split(' ');
        var fields = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync(end.Token) is { Length: > 0 } line)
        {
            string[] parts = line.Split(':', 2, StringSplitOptions.TrimEntries);
            fields[parts[0]] = parts[1];
        }
        return new FileRequest(requests.Count, first[1], fields);
    }

    private async Task Send(Stream stream, FileReply reply)
    {
        if (reply.Status == 0) return;
        string[] head =
        [
            $"HTTP/1.1 {reply.Status} Said", "Connection: close",
            reply.IsChunked ? "Transfer-Encoding: chunked" : $"Content-Length: {reply.ToldLength ?? reply.Body.Length}",
            .. reply.Fields.Select(f => $"{f.Key}: {f.Value}"),
        ];
        await stream.WriteAsync(Encoding.Latin1.GetBytes(string.Join("\r\n", head) + "\r\n\r\n"), end.Token);
        byte[] sent = reply.Body[..Math.Min(reply.CutAfter ?? reply.Body.Length, reply.Body.Length)];
        if (reply.IsChunked && sent.Length > 0) await stream.WriteAsync((byte[])[.. Encoding.Latin1.GetBytes($"{sent.Length:x}\r\n"), .. sent, .. "\r\n"u8], end.Token);
        else await stream.WriteAsync(sent, end.Token);
        if (reply.IsChunked && reply.CutAfter is null) await stream.WriteAsync("0\r\n\r\n"u8.ToArray(), end.Token);
        await stream.FlushAsync(end.Token);
        for (int at = sent.Length; reply.Drips && at < reply.Body.Length; at++)
        {
            await Task.Delay(10, end.Token);
            await stream.WriteAsync(reply.Body.AsMemory(at, 1), end.Token);
        }
        if (reply.Stalls) await Task.Delay(Timeout.Infinite, end.Token);
    }
}
