namespace Delineate.Explain;

/// <summary>The languages that explanations are written in.</summary>
public enum Language
{
    /// <summary>English.</summary>
    En,

    /// <summary>Chinese, simplified.</summary>
    Zh,
}

/// <summary>A text in each of the languages.</summary>
public readonly record struct Words(string English, string Chinese)
{
    /// <summary>The text in one of them.</summary>
    public string In(Language language) => language == Language.Zh ? Chinese : English;

    /// <summary>What reads alike in every language: a name, a number, a formula.</summary>
    public static implicit operator Words(string text) => new(text, text);

    public static Words FromString(string text) => text;
}
