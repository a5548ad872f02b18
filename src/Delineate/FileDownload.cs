using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;

namespace Delineate;

/// <summary>How patient a <see cref="FileDownload"/> is.</summary>
internal sealed record DownloadPace
{
    /// <summary>The longest time in which nothing worth mentioning comes.</summary>
    public TimeSpan Stall { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Failures in a row that end it.</summary>
    public int Attempts { get; init; } = 4;

    /// <summary>The pause after the first failure; it doubles with each.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>
/// One file of known length over HTTP, into a file beside its final place that a broken transfer leaves and the next continues (RFC 9110, §13.1.5 and
/// §14: Range, If-Range, 206, 416). Whoever calls it keeps others away from that file and checks the hash.
/// </summary>
internal sealed class FileDownload(Uri address, string partFile, long bytes)
{
    private const int BufferBytes = 1 << 17, MostRedirects = 5;
    private const int LeastPerStall = 4096; // bytes; fewer in the time of a stall are one
    private const int WorthOfAttempt = 1 << 20; // bytes that make up for the failures before
    private const int LongestMark = 256; // characters of an ETag

    private bool isJoined;

    public Uri Address => address;

    public string PartFile => partFile;

    /// <summary>What the user can do where the server does not give the file.</summary>
    public required string Remedy { get; init; }

    public DownloadPace Pace { get; init; } = new();

    public Action<long>? Progress { get; init; }

    public Action<string>? Note { get; init; }

    /// <summary>What tells the server's version of the bytes in <see cref="PartFile"/>: its ETag, else the time of its last change.</summary>
    private string MarkFile => partFile + ".etag";

    /// <summary>Fetches what is missing. Returns whether the bytes are of more than one transfer, which might be of different files.</summary>
    /// <exception cref="DownloadException">The server does not give the file, or the disk does not take it.</exception>
    public async Task<bool> Run(CancellationToken cancel)
    {
        await using FileStream file = Open();
        isJoined = file.Length > 0;
        if (file.Length > bytes) StartAgain(file);
        Progress?.Invoke(file.Length);
        using var handler = new SocketsHttpHandler
        {
            MaxAutomaticRedirections = MostRedirects, // from https to http none is followed
            ConnectTimeout = Pace.Stall,
            UseProxy = !address.IsLoopback,
            UseCookies = false,
            MaxResponseDrainSize = 0,
        };
        using var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        for (int failures = 0; file.Length < bytes;)
        {
            long before = file.Length;
            string problem = await Try(client, file, cancel);
            if (file.Length == bytes) break;
            if (file.Length - before >= WorthOfAttempt) failures = 0;
            if (++failures >= Pace.Attempts) throw Failed($"{problem}, {failures} times");
            TimeSpan pause = Pace.Pause * Math.Pow(2, failures - 1);
            Note?.Invoke(string.Create(CultureInfo.InvariantCulture, $"{problem}: trying again in {pause.TotalSeconds:0.#} s, from {file.Length / 1e6:F1} of {bytes / 1e6:F1} MB"));
            await Task.Delay(pause, cancel);
        }
        await file.FlushAsync(cancel);
        file.Flush(flushToDisk: true);
        return isJoined;
    }

    /// <summary>Removes what was fetched.</summary>
    public void Discard()
    {
        File.Delete(partFile);
        File.Delete(MarkFile);
    }

    /// <summary>Gives the whole file its name.</summary>
    public void MoveTo(string path)
    {
        File.Move(partFile, path, overwrite: true);
        File.Delete(MarkFile);
    }

    private FileStream Open()
    {
        try
        {
            var file = new FileStream(partFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            file.Seek(0, SeekOrigin.End);
            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DownloadException($"{partFile} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>One request and what comes of it. Returns what went wrong, where that may go well another time; whole files are told by their length.</summary>
    private async Task<string> Try(HttpClient client, FileStream file, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Pace.Stall);
        try
        {
            using HttpRequestMessage request = Request(file.Length);
            using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            if (Begin(response, file) is { } problem) return problem;
            await using Stream body = await response.Content.ReadAsStreamAsync(patience.Token);
            await Copy(body, file, patience);
            return "the transfer ended early";
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return string.Create(CultureInfo.InvariantCulture, $"the transfer stood still for {Pace.Stall.TotalSeconds:0.#} s");
        }
        catch (HttpRequestException e) when (e.InnerException is AuthenticationException)
        {
            throw Failed($"this machine does not trust the certificate of {address.Host}");
        }
        catch (HttpRequestException e)
        {
            return e.HttpRequestError switch
            {
                HttpRequestError.NameResolutionError => $"the name {address.Host} is not known, as without a network",
                HttpRequestError.ConnectionError => $"there is no connection to {address.Authority}",
                HttpRequestError.SecureConnectionError => $"there is no secure connection to {address.Authority}",
                HttpRequestError.ProxyTunnelError => $"the proxy gives no way to {address.Host}",
                HttpRequestError.ResponseEnded => "the connection ended without an answer",
                _ => "the server does not speak HTTP as it should",
            };
        }
        catch (IOException e) when (e is not DownloadException)
        {
            return "the transfer broke off";
        }
    }

    private HttpRequestMessage Request(long have)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("delineate", typeof(FileDownload).Assembly.GetName().Version?.ToString(3)));
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (have > 0)
        {
            request.Headers.Range = new RangeHeaderValue(have, null);
            request.Headers.IfRange = ReadMark();
        }
        return request;
    }

    /// <summary>Looks at the answer's head and makes the file ready for its body. Returns what went wrong, where that may go well another time.</summary>
    private string? Begin(HttpResponseMessage response, FileStream file)
    {
        switch ((int)response.StatusCode)
        {
            case 200:
                StartAgain(file);
                WriteMark(MarkOf(response));
                break;
            case 206 when Continues(response, file.Length):
                isJoined |= file.Length > 0;
                break;
            case 206 or 416:
                StartAgain(file);
                return "the server has no such part of the file";
            case 408 or 429 or >= 500:
                return $"the server answers {(int)response.StatusCode}";
            case 404 or 410:
                throw Failed($"there is no such file ({(int)response.StatusCode})");
            case >= 300 and < 400:
                throw Failed($"the server points elsewhere too often, or away from https ({(int)response.StatusCode})");
            default:
                throw Failed($"the server refuses with {(int)response.StatusCode}");
        }
        if (response.Content.Headers.ContentLength is { } length && file.Length + length != bytes)
            throw Failed(string.Create(CultureInfo.InvariantCulture, $"the server's file has {file.Length + length:N0} bytes, not {bytes:N0}: it is another one"));
        return null;
    }

    private bool Continues(HttpResponseMessage response, long have) =>
        response.Content.Headers.ContentRange is { Unit: "bytes", From: { } from } range && from == have && (range.Length ?? bytes) == bytes
        && !(ReadMark() is { } before && MarkOf(response) is { } now && (before.EntityTag is null) == (now.EntityTag is null) && !before.Equals(now));

    private async Task Copy(Stream body, FileStream file, CancellationTokenSource patience)
    {
        byte[] buffer = new byte[BufferBytes];
        int fresh = 0;
        for (int read; (read = await body.ReadAsync(buffer, patience.Token)) > 0;)
        {
            if (file.Length + read > bytes)
            {
                StartAgain(file);
                throw Failed(string.Create(CultureInfo.InvariantCulture, $"the server sends more than the file's {bytes:N0} bytes"));
            }
            Write(file, buffer.AsSpan(0, read));
            Progress?.Invoke(file.Length);
            fresh += read;
            if (fresh < LeastPerStall) continue;
            fresh = 0;
            patience.CancelAfter(Pace.Stall);
        }
    }

    private void Write(FileStream file, ReadOnlySpan<byte> values)
    {
        try
        {
            file.Write(values);
        }
        catch (IOException e)
        {
            throw new DownloadException(
                IsFull(e)
                    ? string.Create(CultureInfo.InvariantCulture, $"the disk is full: {(bytes - file.Length) / 1e6:F1} MB more are needed for {partFile}. What is there stays, and the next try goes on from it")
                    : $"{partFile} cannot be written: {e.Message}",
                e);
        }
    }

    /// <summary>No room or no quota: ENOSPC and EDQUOT of Linux and of macOS; ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL.</summary>
    private static bool IsFull(IOException e) => OperatingSystem.IsWindows()
        ? e.HResult is unchecked((int)0x80070070) or unchecked((int)0x80070027)
        : e.HResult == 28 || e.HResult == (OperatingSystem.IsMacOS() ? 69 : 122);

    private void StartAgain(FileStream file)
    {
        if (file.Length > 0) file.SetLength(0); // and the position with it
        isJoined = false;
        File.Delete(MarkFile);
    }

    /// <summary>An ETag counts only where it stands for every byte (a weak one does not).</summary>
    private static RangeConditionHeaderValue? MarkOf(HttpResponseMessage response) =>
        response.Headers.ETag is { IsWeak: false } tag ? new RangeConditionHeaderValue(tag)
        : response.Content.Headers.LastModified is { } time ? new RangeConditionHeaderValue(time)
        : null;

    private void WriteMark(RangeConditionHeaderValue? mark)
    {
        if (mark?.ToString() is { Length: <= LongestMark } text) File.WriteAllText(MarkFile, text);
    }

    private RangeConditionHeaderValue? ReadMark() =>
        new FileInfo(MarkFile) is { Exists: true, Length: <= LongestMark } && RangeConditionHeaderValue.TryParse(File.ReadAllText(MarkFile), out RangeConditionHeaderValue? mark) ? mark : null;

    private DownloadException Failed(string problem) => new($"{address} cannot be fetched: {problem}. {Remedy}");
}

/// <summary>A file that could not be fetched: why, and what to do, in one line.</summary>
public sealed class DownloadException(string message, Exception? inner = null) : IOException(message, inner);
