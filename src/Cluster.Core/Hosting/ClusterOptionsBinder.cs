using System.Collections.Immutable;
using System.ComponentModel;
using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace ActorCluster.Hosting;

/// <summary>Puts a configuration section into the options and notes every key that is unknown and every value that cannot be read.</summary>
/// <remarks>The framework's binder throws at the first of them and names neither the whole key nor what would be right.</remarks>
internal static class ClusterOptionsBinder
{
    public static void Bind(ClusterOptions options, IConfigurationSection section)
    {
        var faults = ImmutableArray.CreateBuilder<string>();
        Bind(options, section, faults);
        options.BindingFaults = faults.DrainToImmutable();
    }

    private static void Bind(object target, IConfigurationSection section, ImmutableArray<string>.Builder faults)
    {
        var settings = target.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite).ToList();
        foreach (var child in section.GetChildren())
        {
            if (settings.Find(p => p.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase)) is not { } setting)
            {
                faults.Add($"{child.Path} is no setting; {section.Path} has {string.Join(", ", settings.Select(s => s.Name).Order(StringComparer.Ordinal))}. Correct the name or remove it.");
            }
            else if (IsSection(setting.PropertyType))
            {
                if (child.Value is { Length: > 0 } value && !child.GetChildren().Any()) faults.Add($"{child.Path} is '{value}'; it is a section: set the keys below it, for example {child.Path}:{Example(setting.PropertyType)}.");
                else Bind(setting.GetValue(target)!, child, faults);
            }
            else if (child.GetChildren().Any())
            {
                faults.Add($"{child.Path} is a section here; give it one value, of the kind {Kind(setting.PropertyType)}.");
            }
            else if (Read(setting.PropertyType, child.Value ?? "") is { } read)
            {
                setting.SetValue(target, read);
            }
            else
            {
                faults.Add($"{child.Path} is '{child.Value}'; give {Kind(setting.PropertyType)}.");
            }
        }
    }

    private static bool IsSection(Type type) => type.IsClass && type != typeof(string);

    private static string Example(Type section) => section.GetProperties().First(p => p.CanWrite).Name;

    /// <summary>The value of that type that a text stands for; null when it stands for none.</summary>
    public static object? Read(Type type, string value)
    {
        if (type == typeof(string)) return value;
        // A number is no name of a choice, though the converter would take it for one.
        if (type.IsEnum) return Enum.GetNames(type).Any(n => n.Equals(value, StringComparison.OrdinalIgnoreCase)) ? Enum.Parse(type, value, ignoreCase: true) : null;
        try { return TypeDescriptor.GetConverter(type).ConvertFromInvariantString(value); }
        catch (Exception cause) when (cause is FormatException or OverflowException or ArgumentException or NotSupportedException) { return null; }
    }

    /// <summary>What to give for a value of that type.</summary>
    public static string Kind(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(TimeSpan) ? "a time as [days.]hours:minutes:seconds, for example 00:00:05"
        : type == typeof(int) || type == typeof(long) ? "a whole number"
        : type == typeof(double) ? "a number, for example 1.5"
        : type.IsEnum ? string.Join(" or ", Enum.GetNames(type))
        : "a text";
}
