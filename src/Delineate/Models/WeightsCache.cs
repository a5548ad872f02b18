namespace Delineate.Models;

/// <summary>
/// The folder where published weights lie for all of a user's projects, and how they come there: whole and with the right hash, or not at all. Processes
/// that want the same file wait for the one that fetches it.
/// </summary>
public sealed class WeightsCache
{
    /// <summary>The environment variable that names another folder than the user's cache.</summary>
    public const string FolderVariable = "DELINEATE_CACHE";

    /// <summary>The environment variable that names another address to fetch from: a mirror, by https or http.</summary>
    public const string AddressVariable = "DELINEATE_WEIGHTS_URL";

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);

    /// <summary>The folder and the address that the environment names, or the usual ones.</summary>
    /// <exception cref="DownloadException">What the environment names is no address, or there is no folder for caches.</exception>
    public WeightsCache()
        : this(Environment.GetEnvironmentVariable)
    {
    }

    internal WeightsCache(Func<string, string?> environment)
    {
        Folder = Path.Combine(environment(FolderVariable) is { Length: > 0 } named ? Path.GetFullPath(named) : UserFolder(environment), "weights");
        Mirror = environment(AddressVariable) is { Length: > 0 } text ? ReadMirror(text) : null;
    }

    /// <summary>Where the files lie.</summary>
    public string Folder { get; }

    /// <summary>Where they are fetched from instead of their publisher; it ends in a slash.</summary>
    public Uri? Mirror { get; }

    internal DownloadPace Pace { get; init; } = new();

    /// <summary>The file's place, whether or not it is there.</summary>
    public string PathOf(PublishedWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        return Path.Combine(Folder, weights.FileName);
    }

    /// <summary>Where it is fetched from.</summary>
    public Uri AddressOf(PublishedWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        return Mirror is null ? weights.Address : new Uri(Mirror, weights.FileName);
    }

    /// <summary>
    /// The file, fetched where it is missing. What a broken or cancelled transfer brought stays beside it as <c>.part</c>, and the next pull goes on
    /// from there.
    /// </summary>
    /// <param name="weights">What to fetch.</param>
    /// <param name="progress">Gets the number of bytes that are there.</param>
    /// <param name="note">Gets a sentence where something is tried again or waited for.</param>
    /// <param name="cancel">Ends the transfer.</param>
    /// <exception cref="DownloadException">It could not be fetched or kept; the message says what to do.</exception>
    public async Task<PulledWeights> Pull(PublishedWeights weights, Action<long>? progress = null, Action<string>? note = null, CancellationToken cancel = default)
    {
        string file = PathOf(weights);
        if (await weights.IsAt(file, cancel)) return new PulledWeights(file, IsNew: false);
        await using FileStream held = await Hold(file + ".lock", note, cancel);
        if (await weights.IsAt(file, cancel)) return new PulledWeights(file, IsNew: false); // another process was quicker
        if (File.Exists(file)) note?.Invoke($"{file} is damaged, or another file: it will be replaced");

        var download = new FileDownload(AddressOf(weights), file + ".part", weights.Bytes)
        {
            Remedy = $"Fetch {weights.Address} by hand and put it at {file} (sha256 {weights.Sha256}), or {(Mirror is null ? $"name a mirror with {AddressVariable}" : $"look at {AddressVariable}, which names this server")}",
            Pace = Pace,
            Progress = progress,
            Note = note,
        };
        for (bool isSecond = false; ; isSecond = true)
        {
            bool isJoined = await download.Run(cancel);
            string hash = await PublishedWeights.HashOf(download.PartFile, cancel);
            if (hash == weights.Sha256) break;
            download.Discard();
            if (isSecond || !isJoined)
                throw new DownloadException($"{download.Address} is another file than was published: its sha256 is {hash}, not {weights.Sha256}; it was removed. {download.Remedy}");
            note?.Invoke("the parts of several transfers do not make the file: beginning again");
        }
        download.MoveTo(file);
        return new PulledWeights(file, IsNew: true);
    }

    private static Uri ReadMirror(string text) =>
        Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out Uri? address)
            && address is { Scheme: "https" or "http", UserInfo: "", Query: "", Fragment: "" }
            ? address
            : throw new DownloadException($"{AddressVariable} takes the address of a folder, such as https://mirror.example/models");

    private static string UserFolder(Func<string, string?> environment)
    {
        // A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification).
        if (OperatingSystem.IsLinux() && environment("XDG_CACHE_HOME") is { } cache && Path.IsPathFullyQualified(cache)) return Path.Combine(cache, "delineate");
        string root = OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : environment("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (!Path.IsPathFullyQualified(root)) throw new DownloadException($"this user has no folder for caches: name one with {FolderVariable}");
        return OperatingSystem.IsWindows() ? Path.Combine(root, "delineate")
            : OperatingSystem.IsMacOS() ? Path.Combine(root, "Library", "Caches", "delineate")
            : Path.Combine(root, ".cache", "delineate");
    }

    /// <summary>
    /// Waits until no other process fetches the file. The lock's file stays when it is given back: were it removed, one process could hold the removed
    /// file and the next a new one.
    /// </summary>
    private async Task<FileStream> Hold(string path, Action<string>? note, CancellationToken cancel)
    {
        for (bool isTold = false; ; isTold = true)
        {
            try
            {
                Directory.CreateDirectory(Folder);
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (IsHeld(e))
            {
                if (!isTold) note?.Invoke("another process is fetching this file: waiting for it");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new DownloadException($"nothing can be written to {Folder}: {e.Message.TrimEnd('.')}. Another folder can be named with {FolderVariable}", e);
            }
            await Task.Delay(LookAgain, cancel);
        }
    }

    /// <summary>Whether another process has the file open: Windows' sharing violation, and EWOULDBLOCK of Linux and of macOS.</summary>
    private static bool IsHeld(IOException e) => e.HResult == (OperatingSystem.IsWindows() ? unchecked((int)0x80070020) : OperatingSystem.IsMacOS() ? 35 : 11);
}

/// <summary>Weights that are in the cache.</summary>
/// <param name="Path">The file.</param>
/// <param name="IsNew">It was not there before.</param>
public sealed record PulledWeights(string Path, bool IsNew);
