/*
 * lane.c: what shares a limit: rates, how many at once, and room for the others.
 *
 * A lane is a count of what is in flight and a bucket of tokens. The dispatcher asks lane after lane: room for how many? It
 * claims as many at most, begins each, and asks the next lane; it ends each when its answer has come.
 *
 * 1. The bucket is exact. A token is per_ms units; each ms brings `requests` units, up to `burst` tokens. All of it is
 *    whole numbers, so that 3 a second are 3 in each second and not 3 in 1,002 ms, nor 1 too many in a year. In
 *    any time of t ms, at most burst + t * requests / per_ms requests begin. (What comes when the bucket is full is lost: with
 *    a burst of 1, a rate that is no whole number of ms a request is rounded to one, upwards.)
 * 2. Time only goes forward here. What counts is how far the clock moved on between two calls; a step back counts as none,
 *    for all lanes at once (`passed_ms`), so it neither stops a lane for an hour nor gives it tokens twice; nor does a
 *    clock that trembles. A step forward fills buckets at most: one burst too early.
 * 3. Limits may change at any time. A bucket keeps its tokens, as many as the new burst allows, so that two versions
 *    of a workflow with different rates, taking turns, do not get a full bucket each time. A lane that loses its
 *    rate keeps the bucket for when it gets one again.
 * 4. Room for others: with `max_in_flight` at once in all, a lane may have half of what the other lanes leave, rounded up.
 *    A single lane thus gets half, two that want all get a third each, n get 1 / (n + 1), and the same is always
 *    left for who comes next. Why not half of what is free each time: a lane that keeps asking would get half, and
 *    half of the rest, until nothing is free and a host that hangs holds all of it.
 *    So with tenants: one that has half of all at once, by whatever number of lanes, gets no more while less than a quarter is free.
 *    And so with bytes, as far as whole requests allow: the last one of a lane may be larger than what was left. A tenant that has
 *    nothing in flight may send one, whatever the others have.
 * 5. Whoever sends without having asked (or after a limit was lowered) goes into debt: tokens below none, at most one
 *    burst of them, which come back before anything else passes.
 *
 * Memory: one small struct per lane, in a context of its own; nothing is allocated per request. Names come from tenants, so sweeping
 * keeps at most MOST_LANES: beyond that it drops lanes that have nothing in flight, those whose buckets would take the longest to
 * fill. Such a lane, made anew, has a full bucket: its rate may be exceeded by one burst. The longest first, because
 * that is what a flood of names with rates of one a year consists of; lanes with something in flight always stay.
 * After a restart of the dispatcher all buckets are full.
 *
 * Errors: making a lane may run out of memory; nothing else throws. Nothing is shared, there are no locks.
 */
#include "dispatch/policy.h"

#include "dispatch/named.h"
#include "utils/memutils.h"

#define MOST_LANES 100000

/* A full bucket has no more units than this, so that sums of two never overflow. */
#define MOST_UNITS (INT64CONST(1) << 61)

/* A clock that goes back by no more is unsteady, and was not set: what it showed before still holds. */
#define UNSTEADY_MS 1000

#ifdef WF_TESTING
int			wf_lanes_most = MOST_LANES;
#undef MOST_LANES
#define MOST_LANES wf_lanes_most
#endif

typedef struct Bucket
{
	int64		per_ms;			/* units of a token; 0: there never was a rate */
	int64		requests;		/* units that a ms brings */
	int64		full;			/* units: burst tokens */
	int64		units;			/* from -full to full, as of filled_ms */
	int64		filled_ms;		/* in passed_ms */
} Bucket;

struct WfLane
{
	WfNamed		head;
	WfLanes    *lanes;
	int			in_flight;
	int64		bytes;			/* of these */
	bool		knows_limits;	/* they have been set */
	bool		has_rate;		/* of the limits; the bucket may outlive it */
	WfLaneLimits limits;		/* as given */
	Bucket		bucket;
};

/* A tenant that has something in flight; a lane's name begins with its id. */
typedef struct Tenant
{
	WfNamed		head;
	int			in_flight;
	int64		bytes;			/* of these */
} Tenant;

#define TENANT_CHARS 36

struct WfLanes
{
	MemoryContext memory;
	WfNames		by_name;
	WfNames		tenants;
	int			in_flight;		/* of all lanes */
	int64		bytes;
	bool		has_clock;		/* clock_ms has been set */
	int64		clock_ms;		/* the caller's, at the last call */
	int64		passed_ms;		/* how far it went forward since the beginning */
};

/* -- all lanes -- */

WfLanes *
wf_lanes_create(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow lanes", ALLOCSET_DEFAULT_SIZES);
	WfLanes    *lanes = MemoryContextAllocZero(memory, sizeof(WfLanes));

	lanes->memory = memory;
	wf_named_create(&lanes->by_name, "workflow lanes", sizeof(WfLane), memory);
	wf_named_create(&lanes->tenants, "workflow tenants in flight", sizeof(Tenant), memory);
	return lanes;
}

void
wf_lanes_destroy(WfLanes *lanes)
{
	MemoryContextDelete(lanes->memory);
}

int
wf_lanes_in_flight(const WfLanes *lanes)
{
	return lanes->in_flight;
}

int
wf_lanes_count(const WfLanes *lanes)
{
	return wf_named_count(&lanes->by_name);
}

/* Takes note of what the clock says; see 2. */
static void
watch_clock(WfLanes *lanes, int64 now_ms)
{
	if (lanes->has_clock && now_ms <= lanes->clock_ms && now_ms >= lanes->clock_ms - UNSTEADY_MS)
		return;
	if (lanes->has_clock && now_ms > lanes->clock_ms)
		lanes->passed_ms += now_ms - lanes->clock_ms;
	lanes->has_clock = true;
	lanes->clock_ms = now_ms;
}

WfLane *
wf_lane_find(WfLanes *lanes, const char *name)
{
	WfLane	   *lane = wf_named_enter(&lanes->by_name, name);

	if (lane->lanes == NULL)
		lane->bucket.filled_ms = lanes->passed_ms;
	lane->lanes = lanes;
	return lane;
}

/* -- the bucket -- */

/* Adds what time has brought. */
static void
fill(Bucket *b, int64 passed_ms)
{
	int64		ms = passed_ms - b->filled_ms;

	b->filled_ms = passed_ms;
	if (b->per_ms == 0)
		return;
	/* Divided, not multiplied: after a year the product would not fit. */
	if (ms > (b->full - b->units) / b->requests)
		b->units = b->full;
	else
		b->units += ms * b->requests;
}

/* In how many ms there are `units`, of a bucket that is filled up to now; 0: they are there. */
static int64
ms_until(const Bucket *b, int64 units)
{
	int64		missing = units - b->units;

	return missing <= 0 ? 0 : (missing - 1) / b->requests + 1;
}

/* `units` of a bucket whose token has per_old units, as units of `b`: whole tokens exactly, the rest rounded down. */
static int64
convert_units(const Bucket *b, int64 units, int64 per_old)
{
	int64		most_tokens = b->full / b->per_ms;
	int64		tokens = units / per_old;
	double		rest = (double) (units % per_old) / (double) per_old;

	if (tokens >= most_tokens)
		return b->full;
	if (tokens <= -most_tokens)
		return -b->full;
	return tokens * b->per_ms + Min((int64) (rest * (double) b->per_ms), b->per_ms - 1);
}

static void
set_rate(Bucket *b, const WfLaneLimits *limits)
{
	int64		per_old = b->per_ms;
	int64		burst = limits->burst > 0 ? limits->burst : Max(limits->requests, 1);

	b->per_ms = Min(limits->per_ms, MOST_UNITS);
	b->requests = Max(limits->requests, 1);
	b->full = Min(burst, MOST_UNITS / b->per_ms) * b->per_ms;
	b->units = per_old == 0 ? b->full : convert_units(b, b->units, per_old);
}

/* -- one lane -- */

/* Sets the limits, which may be others than before; see 3. Up to now the old rate counts. */
void
wf_lane_limit(WfLane *lane, const WfLaneLimits *limits, int64 now_ms)
{
	watch_clock(lane->lanes, now_ms);
	lane->knows_limits = true;
	if (lane->limits.most == limits->most && lane->limits.per_ms == limits->per_ms &&
		lane->limits.requests == limits->requests && lane->limits.burst == limits->burst)
		return;
	lane->limits = *limits;
	lane->has_rate = limits->per_ms > 0;
	fill(&lane->bucket, lane->lanes->passed_ms);
	if (lane->has_rate)
		set_rate(&lane->bucket, limits);
}

static const char *
tenant_of(const WfLane *lane, char name[TENANT_CHARS + 1])
{
	strlcpy(name, lane->head.name, TENANT_CHARS + 1);
	return name;
}

/* NULL: nothing of it is in flight. */
static Tenant *
find_tenant(const WfLane *lane)
{
	char		name[TENANT_CHARS + 1];

	return wf_named_find(&lane->lanes->tenants, tenant_of(lane, name));
}

/* One more, or (-1) one less, of the lane is in flight. */
static void
count_in_flight(WfLane *lane, int n)
{
	char		name[TENANT_CHARS + 1];
	Tenant	   *tenant = wf_named_enter(&lane->lanes->tenants, tenant_of(lane, name));

	lane->in_flight += n;
	lane->lanes->in_flight += n;
	tenant->in_flight += n;
	if (tenant->in_flight == 0)
		wf_named_drop(&lane->lanes->tenants, tenant);
}

/* How many more of the lane there may be in flight; see 4. */
static int
places(const WfLane *lane, int max_in_flight)
{
	int			others = lane->lanes->in_flight - lane->in_flight;
	int			left = max_in_flight > others ? max_in_flight - others : 0;
	int			share = left / 2 + left % 2;
	int			free = max_in_flight - lane->lanes->in_flight;
	const Tenant *tenant = find_tenant(lane);

	if (free < max_in_flight / 4 && tenant != NULL && tenant->in_flight >= (max_in_flight + 1) / 2)
		return 0;
	if (lane->limits.most > 0)
		share = Min(share, lane->limits.most);
	return Max(share - lane->in_flight, 0);
}

/*
 * How many may be sent now, from 0 to `wanted`. With 0, *again_ms is -1 when something must end before, else how long
 * a token takes. Otherwise *again_ms is 0: perhaps there is more for who asks again.
 */
int
wf_lane_room(WfLane *lane, int wanted, int max_in_flight, int64 now_ms, int64 *again_ms)
{
	Bucket	   *b = &lane->bucket;
	int			room = Min(places(lane, max_in_flight), wanted);

	*again_ms = 0;
	watch_clock(lane->lanes, now_ms);
	if (room <= 0)
	{
		*again_ms = -1;
		return 0;
	}
	if (!lane->has_rate)
		return room;
	fill(b, lane->lanes->passed_ms);
	if (b->units < b->per_ms)
	{
		*again_ms = ms_until(b, b->per_ms);
		return 0;
	}
	return (int) Min(room, b->units / b->per_ms);
}

int64
wf_lane_bytes_room(const WfLane *lane, int64 most_bytes)
{
	int64		left = Max(most_bytes - (lane->lanes->bytes - lane->bytes), 0);
	int64		free = most_bytes - lane->lanes->bytes;
	const Tenant *tenant = find_tenant(lane);

	if (tenant == NULL)
		return Max(left / 2, 1);
	if (free < most_bytes / 4 && tenant->bytes >= most_bytes / 2)
		return 0;
	return Max(left / 2 - lane->bytes, 0);
}

void
wf_lane_add_bytes(WfLane *lane, int64 bytes)
{
	Tenant	   *tenant = find_tenant(lane);

	Assert(tenant != NULL);
	lane->bytes += bytes;
	lane->lanes->bytes += bytes;
	tenant->bytes += bytes;
	Assert(lane->bytes >= 0 && tenant->bytes >= 0);
}

void
wf_lane_begin(WfLane *lane, int64 now_ms)
{
	Bucket	   *b = &lane->bucket;

	watch_clock(lane->lanes, now_ms);
	count_in_flight(lane, 1);
	if (!lane->has_rate)
		return;
	fill(b, lane->lanes->passed_ms);
	b->units = Max(b->units - b->per_ms, -b->full);
}

/* Of something that was begun. */
void
wf_lane_end(WfLane *lane)
{
	Assert(lane->in_flight > 0 && lane->lanes->in_flight > 0);
	count_in_flight(lane, -1);
}

void
wf_lane_give_back(WfLane *lane)
{
	Bucket	   *b = &lane->bucket;

	wf_lane_end(lane);
	if (lane->has_rate)
		b->units = Min(b->units + b->per_ms, b->full);
}

bool
wf_lane_knows_limits(const WfLane *lane)
{
	return lane->knows_limits;
}

int
wf_lane_in_flight(const WfLane *lane)
{
	return lane->in_flight;
}

/* -- forgetting -- */

/* For WfNamedWorth, after `fill`: the longer until it is full, the less. */
static int64
worth_of(const void *entry, int64 now_ms)
{
	const WfLane *lane = entry;

	if (lane->in_flight > 0)
		return WF_NAMED_KEEP;
	return lane->bucket.per_ms == 0 ? 0 : -ms_until(&lane->bucket, lane->bucket.full);
}

/* A lane of which nothing is in flight and whose bucket is full is as good as a new one. */
void
wf_lanes_sweep(WfLanes *lanes, int64 now_ms)
{
	HASH_SEQ_STATUS scan;
	WfLane	   *lane;

	watch_clock(lanes, now_ms);
	hash_seq_init(&scan, lanes->by_name.table);
	while ((lane = hash_seq_search(&scan)) != NULL)
	{
		fill(&lane->bucket, lanes->passed_ms);
		if (lane->in_flight == 0 && lane->bucket.units == lane->bucket.full)
			wf_named_drop(&lanes->by_name, lane);
	}
	if (wf_lanes_count(lanes) > MOST_LANES)
		wf_named_shed(&lanes->by_name, wf_lanes_count(lanes) - MOST_LANES, worth_of, now_ms);
}
