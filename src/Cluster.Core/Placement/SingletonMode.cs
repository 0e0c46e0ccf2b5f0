namespace ActorCluster.Placement;

/// <summary>Where a singleton lives while several of its hosts are up.</summary>
public enum SingletonMode
{
    /// <summary>Stays until its host is lost or stops; then the first of the host list that is up.</summary>
    Sticky,

    /// <summary>Goes back to a host earlier in the list once that was up and well for 60 s.</summary>
    PreferFirst,

    /// <summary>Goes to whichever of its hosts came up last, at once.</summary>
    LastOnline,
}
