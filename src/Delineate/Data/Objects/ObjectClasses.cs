using System.Globalization;
using Delineate.Imaging;

namespace Delineate.Data.Objects;

/// <summary>The class table that several files of categories share, by name: a category's place in its file means nothing.</summary>
internal sealed class ObjectClasses
{
    private readonly List<string> names = [];
    private readonly List<string> notes = [];
    private readonly List<FileFault> faults = [];
    private readonly HashSet<string> headings = new(StringComparer.Ordinal); // names that only group others

    public required ClassTable Table { get; init; }

    public IReadOnlyList<string> Notes => notes;

    public IReadOnlyList<FileFault> Faults => faults;

    public static bool IsBackground(string name) => name.Trim('_', ' ').Equals("background", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// The classes of names in the order of their labels, the background at 0 whether they name it or not; those of <c>dataset.json</c> where it lists
    /// some.
    /// </summary>
    /// <exception cref="DatasetException">There are none, or more than a table holds.</exception>
    public static ClassTable TableOf(IReadOnlyList<string> things, DatasetManifest manifest, string place, IReadOnlyList<Rgb?>? colors = null)
    {
        IReadOnlyList<string> listed = manifest.Classes ?? things;
        bool hasBackground = listed.Count > 0 && IsBackground(listed[0]);
        string[] names = [hasBackground ? listed[0] : "background", .. listed.Skip(hasBackground ? 1 : 0)];
        if (names.Length == 1) throw new DatasetException(manifest.Path ?? place, "it names no category of objects", "list some");
        Rgb[]? own = manifest.Colors is { } declared ? [.. hasBackground ? [] : new Rgb[1], .. declared]
            : colors?.All(c => c is not null) == true && colors.Count == names.Length - 1 ? [default, .. colors.Select(c => c!.Value)] : null;
        try
        {
            return new ClassTable(names)
            {
                IgnoreIndex = manifest.IgnoreIndex ?? 255,
                Background = 0,
                Palette = own is null ? Palette.Distinct(names.Length) : new Palette(own),
            };
        }
        catch (ArgumentException e)
        {
            throw new DatasetException(manifest.Path ?? place, $"its {things.Count} categories make no class table: {e.Message.Split(" (Parameter")[0]}",
                "list the wanted ones as \"classes\" in dataset.json");
        }
    }

    /// <summary>Label of each name; names beyond the table have −1: <c>dataset.json</c> does not ask for them.</summary>
    public static Dictionary<string, int> LabelsOf(IEnumerable<string> names, ClassTable table)
    {
        var places = table.Names.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i, StringComparer.Ordinal);
        return names.Distinct(StringComparer.Ordinal).ToDictionary(n => n, n => IsBackground(n) ? 0 : places.TryGetValue(n, out int label) ? label : -1, StringComparer.Ordinal);
    }

    /// <summary>
    /// The classes of COCO files, in the order of their category ids: 1, 2, … without gaps, but with COCO's own where the 80 categories of COCO are all
    /// there, so that labels are those of published weights.
    /// </summary>
    /// <exception cref="DatasetException">There are none, or more than a table holds.</exception>
    public static ObjectClasses Of(IReadOnlyList<CocoFile> files, DatasetManifest manifest)
    {
        CocoCategory[] all = [.. files.SelectMany(f => f.Categories)];
        var notes = new List<string>();
        var faults = new List<FileFault>();
        CocoCategory? heading = Heading(all);
        if (heading is not null) notes.Add($"the category '{heading.Name}' ({heading.Id}) only groups the others and is no class");
        var idsOf = new Dictionary<string, string>(StringComparer.Ordinal);
        bool agree = true;
        foreach (CocoFile file in files)
        {
            foreach (CocoCategory category in file.Categories.Where(c => c.Name != heading?.Name))
            {
                if (idsOf.TryAdd(category.Name, category.Id) || idsOf[category.Name] == category.Id || file.Categories.First(c => c.Name == category.Name) != category) continue;
                agree = false;
                faults.Add(new FileFault(Severity.Warning, file.File, $"the category '{category.Name}' is {category.Id} here and {idsOf[category.Name]} in another split",
                    "categories are matched by name, not by id"));
            }
            string[] missing = [.. all.Select(c => c.Name).Distinct().Where(n => n != heading?.Name && file.Categories.All(c => c.Name != n))];
            if (missing.Length > 0)
                faults.Add(new FileFault(Severity.Note, file.File, $"{missing.Length} categories of the other splits are not listed: {Sets.FileDataset.FirstOf(missing)}"));
        }
        if (!agree) notes.Add("the splits give some categories different ids: they are matched by name");
        List<string> order = [.. idsOf.OrderBy(c => Rank(c.Value)).ThenBy(c => c.Value, StringComparer.Ordinal).Select(c => c.Key).Where(n => !IsBackground(n))];
        if (manifest.Classes is null && IsCoco(idsOf)) order = [.. Sets.Coco.ClassNames.Skip(1)];
        ClassTable table = TableOf(order, manifest, files[0].File);
        if (manifest.Classes is not null && order.Count(n => !table.Names.Contains(n)) is > 0 and var others)
            notes.Add($"{others} categories are not among the classes of dataset.json: their objects are left out");
        var classes = new ObjectClasses { Table = table };
        classes.notes.AddRange(notes);
        classes.faults.AddRange(faults);
        if (heading is not null) classes.headings.Add(heading.Name);
        classes.names.AddRange(order);
        return classes;
    }

    /// <summary>Label of each category id of a file.</summary>
    public Dictionary<string, int> LabelsOf(CocoFile file)
    {
        CocoCategory[] own = [.. file.Categories.Where(c => !headings.Contains(c.Name))];
        Dictionary<string, int> byName = LabelsOf(own.Select(c => c.Name), Table);
        return own.ToDictionary(c => c.Id, c => byName[c.Name], StringComparer.Ordinal);
    }

    /// <summary>Roboflow writes the project's name as category 0, of which all others are kinds.</summary>
    private static CocoCategory? Heading(CocoCategory[] all)
    {
        CocoCategory? first = all.FirstOrDefault(c => c.Id == "0" && c.Supercategory == "none");
        CocoCategory[] others = [.. all.Where(c => c.Name != first?.Name)];
        return first is not null && others.Length > 0 && others.All(c => c.Supercategory == first.Name) ? first : null;
    }

    private static bool IsCoco(Dictionary<string, string> idsOf) =>
        idsOf.Count == Sets.Coco.CategoryCount && idsOf.All(c => int.TryParse(c.Value, CultureInfo.InvariantCulture, out int id)
            && id > 0 && id < Sets.Coco.ClassNames.Count && Sets.Coco.ClassNames[id] == c.Key);

    private static long Rank(string id) => long.TryParse(id, CultureInfo.InvariantCulture, out long rank) ? rank : long.MaxValue;
}
