using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>The individually placed entities: a slot for each that is served here or was written to from here.</summary>
internal sealed partial class RegionDriver
{
    /// <summary>Most individually placed entities of one type that a node knows, some 700 bytes each. A stream's numbers may not be forgotten while its epoch lasts, so none of them is dropped before it ends.</summary>
    private const int PlacedMax = 1_000_000;

    private IEnumerable<Slot> All => _slots.Values.Concat(_placed.Values);

    /// <summary>Rows that were looked up: who has messages for them learns where they are.</summary>
    public void Found(ImmutableArray<ShardRow> rows)
    {
        foreach (var row in rows)
        {
            if (!_regions.TryGetValue(row.Type, out var region) || !region.Type.IsPlaced) continue;
            if (row.State == ShardState.Ended)
            {
                End(region, row.Key);
                continue;
            }
            if (Numbered(region, row.No, row.Key) is not { } slot || row.Owner is not { } owner) continue;
            Learn([new ShardRoute(slot.No, row.Epoch, owner)]);
        }
    }

    private bool TryFind(ShardNo no, [NotNullWhen(true)] out Slot? slot) => _slots.TryGetValue(no, out slot) || _placed.TryGetValue(no, out slot);

    private Slot? SlotOf(AcquiredShard acquired) =>
        _slots.TryGetValue(acquired.No, out var slot) ? slot
            : _regions.TryGetValue(acquired.Type, out var region) && region.Type.IsPlaced ? Numbered(region, acquired.No, acquired.Key) : null;

    private Slot PlacedSlot(Region region, string key)
    {
        if (region.Placed.TryGetValue(key, out var known)) return known;
        if (region.Placed.Count >= PlacedMax) throw new EntityException(EntityFailure.Busy(new EntityId(region.Type.Name, key).StoreKey));
        return SlotFor(region, key);
    }

    private Slot SlotFor(Region region, string key) => region.Placed.GetOrAdd(key, static (key, of) => new Slot(default, of.Type, of.Driver, key), (region.Type, Driver: this));

    /// <summary>The slot of a row, which has its number from now on. A row that was made anew after its retention has another.</summary>
    private Slot Numbered(Region region, ShardNo no, string key)
    {
        var slot = SlotFor(region, key);
        lock (slot.Lock)
        {
            if (slot.No == no) return slot;
            if (slot.No != default) _placed.TryRemove(slot.No, out _);
            slot.No = no;
        }
        _placed[no] = slot;
        return slot;
    }

    /// <summary>Whoever waits is told, and so is whoever writes to it while somebody still has its slot; then it is forgotten, and looked up when it is written to again.</summary>
    private void End(Region region, string key)
    {
        if (!region.Placed.TryRemove(key, out var slot)) return;
        if (slot.No != default) _placed.TryRemove(slot.No, out _);
        lock (slot.Lock)
        {
            slot.HasEnded = true;
            slot.Outbox.EndAll(m => m.Fail(EntityFailure.Ended(m.Target.StoreKey)));
        }
    }

    /// <summary>Under the slot's lock: something waits in its outbox.</summary>
    private void Watch(Slot slot)
    {
        if (slot.IsBusy) return;
        slot.IsBusy = true;
        _busy.Enqueue(slot);
    }
}
