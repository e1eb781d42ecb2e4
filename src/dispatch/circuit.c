/*
 * circuit.c: hosts that fail are left alone for a while.
 *
 * The dispatcher asks before each attempt (pass), and says how it ended (tell), or that it did not (give_up).
 *
 * 1. Closed: everything passes. Attempts that ended are counted in a window of 60 s, a ring of 12 slots of 5 s, so between 55
 *    and 60 s back. A failure that finds at least 10 attempts, half of them or more failed, opens the circuit. A success never
 *    opens it.
 * 2. Open: nothing passes for 30 s; each time in a row twice as long, at most 10 minutes.
 * 3. Half open is not a state that is kept: it is an open circuit whose time has come. The first that asks is the probe, all
 *    others are refused until it has ended. Success closes the circuit, with an empty window; failure opens it again. A probe that
 *    is given up, or of which nothing was heard for 5 minutes, makes place for another one; its word counts no more.
 * 4. Tickets: each change of a circuit, and each probe, has a number, greater than all before, and an attempt carries that
 *    of the time when it passed. What is told with a lesser one is ignored: a thousand attempts may be under way
 *    when a circuit opens, and as they fail, one after the other, they say nothing of the host as it is after the probe; nor may
 *    one of them pass for the probe. Without tickets, a request that was sent before and answered late would close the circuit.
 * 5. Times are of the wall clock, since they are written down and shown. Set forward, it ends waiting early, and the probe
 *    decides. Set back, an open circuit waits no longer from then on than it does when it opens, a probe has its 5 minutes once
 *    more, and a window that lies in the future is forgotten.
 *
 * Memory: 200 bytes and the name per circuit of which anything is known. An attempt that passes makes none; one that ended does.
 * Sweeping forgets those that are closed and have no attempts in the window, and those that are open, whose time came an
 * hour ago (WF_CIRCUIT_FORGET_MS) and whom nobody has asked since: nobody wants anything of that host. Names come from
 * tenants, so there are at most MOST_CIRCUITS. Where there is no room for another one, an eighth of them is dropped: closed ones,
 * those with the fewest failures first, which lose a count. An open one is never dropped for another one: to flood the
 * table must not be a way to close a circuit. When all are open, new ones are not counted, and so everything passes there;
 * wf_circuit_set alone, which repeats what is written down, always finds room.
 *
 * Errors: making a circuit may run out of memory; nothing else throws. Nothing is shared, there are no locks.
 */
#include "dispatch/policy.h"

#include "dispatch/named.h"
#include "utils/memutils.h"

#define N_SLOTS 12
#define SLOT_MS 5000
#define LEAST_ATTEMPTS 10
#define FIRST_OPEN_MS INT64CONST(30000)
#define MOST_OPEN_MS INT64CONST(600000)
#define SILENCE_MS INT64CONST(300000)	/* of a probe, before it is given up */
#define PROBE_AGAIN_MS INT64CONST(1000) /* who is refused because of a probe waits so long at least */
#define NO_ROOM_MS INT64CONST(10000)	/* how long to believe that all are open */
#define MOST_CIRCUITS 100000

#ifdef WF_TESTING
int			wf_circuits_most = MOST_CIRCUITS;
#undef MOST_CIRCUITS
#define MOST_CIRCUITS wf_circuits_most
#endif

typedef struct Slot
{
	int			attempts;
	int			failures;
} Slot;

typedef struct Circuit
{
	WfNamed		head;
	bool		is_open;
	int			times_opened;	/* in a row; 0 when closed */
	int64		changed_ms;		/* when it opened or closed; 0: never */
	int64		retry_at_ms;	/* when open: a probe may pass from then on */
	uint64		ticket;			/* of what may say something now: since the last change, or the probe's */
	bool		has_probe;		/* when open */
	int64		probe_ms;		/* when it passed */
	int64		slot;			/* number of the newest slot, time / SLOT_MS */
	Slot		slots[N_SLOTS]; /* that of time t is [t / SLOT_MS % N_SLOTS]; up to `slot`, older ones cleared on the way */
} Circuit;

struct WfCircuits
{
	WfNames		by_name;
	uint64		last_ticket;
	int64		no_room_until_ms;	/* all were open a moment ago: do not look again before */
};

WfCircuits *
wf_circuits_create(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow circuits", ALLOCSET_DEFAULT_SIZES);
	WfCircuits *circuits = MemoryContextAllocZero(memory, sizeof(WfCircuits));

	wf_named_create(&circuits->by_name, "workflow circuits", sizeof(Circuit), memory);
	return circuits;
}

void
wf_circuits_destroy(WfCircuits *circuits)
{
	MemoryContextDelete(circuits->by_name.memory);
}

int
wf_circuits_count(const WfCircuits *circuits)
{
	return wf_named_count(&circuits->by_name);
}

const char *
wf_circuit_state_name(WfCircuitState state)
{
	static const char *const names[] = {"closed", "open", "halfOpen"};

	return names[state];
}

/* -- the window -- */

static int64
slot_of(int64 now_ms)
{
	return Max(now_ms, 0) / SLOT_MS;
}

/* Moves the window on to now. */
static void
turn_window(Circuit *c, int64 now_ms)
{
	int64		slot = slot_of(now_ms);

	if (slot >= c->slot + N_SLOTS || slot <= c->slot - N_SLOTS)
	{
		memset(c->slots, 0, sizeof(c->slots));
		c->slot = slot;
	}
	while (c->slot < slot)
		c->slots[++c->slot % N_SLOTS] = (Slot) {0};
}

/* What is in the window as it is now, without moving it. */
static void
sum_window(const Circuit *c, int64 now_ms, int *attempts, int *failures)
{
	int64		slot = slot_of(now_ms);

	*attempts = *failures = 0;
	if (slot <= c->slot - N_SLOTS)
		return;
	for (int64 s = Max(slot - N_SLOTS + 1, 0); s <= c->slot; s++)
	{
		if (s <= c->slot - N_SLOTS)
			continue;
		*attempts += c->slots[s % N_SLOTS].attempts;
		*failures += c->slots[s % N_SLOTS].failures;
	}
}

static void
count(Circuit *c, bool failed, int64 now_ms)
{
	Slot	   *slot;

	turn_window(c, now_ms);
	slot = &c->slots[c->slot % N_SLOTS];
	if (slot->attempts == PG_INT32_MAX / N_SLOTS)
		return;
	slot->attempts++;
	slot->failures += failed;
}

/* -- states -- */

/* How long it is open, the n-th time in a row. */
static int64
open_ms(int times_opened)
{
	int			doublings = Min(Max(times_opened - 1, 0), 10);

	return Min(FIRST_OPEN_MS << doublings, MOST_OPEN_MS);
}

static void
open_circuit(WfCircuits *circuits, Circuit *c, int64 now_ms)
{
	if (c->times_opened < PG_INT32_MAX)
		c->times_opened++;
	c->is_open = true;
	c->has_probe = false;
	c->changed_ms = now_ms;
	c->retry_at_ms = now_ms + open_ms(c->times_opened);
	c->ticket = ++circuits->last_ticket;
}

static void
close_circuit(WfCircuits *circuits, Circuit *c, int64 now_ms)
{
	c->is_open = c->has_probe = false;
	c->times_opened = 0;
	c->changed_ms = now_ms;
	c->retry_at_ms = 0;
	memset(c->slots, 0, sizeof(c->slots));
	c->ticket = ++circuits->last_ticket;
}

/* Of an open circuit: what a clock that was set back makes of its times; see 5. */
static void
mend_times(Circuit *c, int64 now_ms)
{
	c->retry_at_ms = Min(c->retry_at_ms, now_ms + open_ms(c->times_opened));
	c->probe_ms = Min(c->probe_ms, now_ms);
}

static bool
is_worth_nothing(const Circuit *c, int64 now_ms)
{
	int			attempts;
	int			failures;

	if (c->is_open)
		return c->retry_at_ms + WF_CIRCUIT_FORGET_MS <= now_ms &&
			!(c->has_probe && c->probe_ms + SILENCE_MS > now_ms);
	sum_window(c, now_ms, &attempts, &failures);
	return attempts == 0;
}

/* -- making and forgetting -- */

void
wf_circuits_sweep(WfCircuits *circuits, int64 now_ms)
{
	HASH_SEQ_STATUS scan;
	Circuit    *c;

	hash_seq_init(&scan, circuits->by_name.table);
	while ((c = hash_seq_search(&scan)) != NULL)
	{
		if (is_worth_nothing(c, now_ms))
			wf_named_drop(&circuits->by_name, c);
	}
}

/* For WfNamedWorth: how many failures would be forgotten. */
static int64
worth_of(const void *entry, int64 now_ms)
{
	const Circuit *c = entry;
	int			attempts;
	int			failures;

	if (c->is_open)
		return WF_NAMED_KEEP;
	sum_window(c, now_ms, &attempts, &failures);
	return failures;
}

/* Is there room for one more? Makes some when there is none; see Memory. */
static bool
have_room(WfCircuits *circuits, int64 now_ms)
{
	if (wf_circuits_count(circuits) < MOST_CIRCUITS)
		return true;
	if (now_ms < circuits->no_room_until_ms && now_ms >= circuits->no_room_until_ms - NO_ROOM_MS)
		return false;
	wf_circuits_sweep(circuits, now_ms);
	if (wf_circuits_count(circuits) >= MOST_CIRCUITS)
		wf_named_shed(&circuits->by_name, MOST_CIRCUITS / 8 + 1, worth_of, now_ms);
	if (wf_circuits_count(circuits) < MOST_CIRCUITS)
		return true;
	circuits->no_room_until_ms = now_ms + NO_ROOM_MS;
	return false;
}

/* The circuit, made when it is not there; NULL when there is no room. */
static Circuit *
find_or_make(WfCircuits *circuits, const char *name, int64 now_ms)
{
	Circuit    *c = wf_named_find(&circuits->by_name, name);

	if (c == NULL && have_room(circuits, now_ms))
		c = wf_named_enter(&circuits->by_name, name);
	return c;
}

/* -- what the dispatcher calls -- */

/* Refused because of a probe: by when its end may be known. */
static bool
wait_for_probe(const Circuit *c, int64 now_ms, WfCircuitPass *out)
{
	out->retry_at_ms = Max(c->probe_ms + FIRST_OPEN_MS, now_ms + PROBE_AGAIN_MS);
	return false;
}

bool
wf_circuit_pass(WfCircuits *circuits, const char *name, int64 now_ms, WfCircuitPass *out)
{
	Circuit    *c = wf_named_find(&circuits->by_name, name);

	memset(out, 0, sizeof(*out));
	if (c == NULL || !c->is_open)
	{
		/* Of a circuit that is not known, now: it may be known, and even have opened, when this attempt has ended. */
		out->ticket = c == NULL ? circuits->last_ticket : c->ticket;
		return true;
	}
	mend_times(c, now_ms);
	if (now_ms < c->retry_at_ms)
	{
		out->retry_at_ms = c->retry_at_ms;
		return false;
	}
	if (c->has_probe && now_ms - c->probe_ms < SILENCE_MS)
		return wait_for_probe(c, now_ms, out);
	c->has_probe = true;
	c->probe_ms = now_ms;
	out->ticket = c->ticket = ++circuits->last_ticket;
	out->is_probe = true;
	return true;
}

bool
wf_circuit_tell(WfCircuits *circuits, const char *name, uint64 ticket, bool failed, int64 now_ms)
{
	Circuit    *c = find_or_make(circuits, name, now_ms);
	int			attempts;
	int			failures;

	if (c == NULL || ticket < c->ticket)
		return false;
	if (c->is_open)
	{
		if (!c->has_probe || ticket != c->ticket)
			return false;
		if (failed)
			open_circuit(circuits, c, now_ms);
		else
			close_circuit(circuits, c, now_ms);
		return true;
	}
	count(c, failed, now_ms);
	if (!failed)
		return false;
	sum_window(c, now_ms, &attempts, &failures);
	if (attempts < LEAST_ATTEMPTS || failures < attempts - failures)
		return false;
	open_circuit(circuits, c, now_ms);
	return true;
}

void
wf_circuit_give_up(WfCircuits *circuits, const char *name, uint64 ticket)
{
	Circuit    *c = wf_named_find(&circuits->by_name, name);

	if (c == NULL || !c->has_probe || ticket != c->ticket)
		return;
	c->has_probe = false;
	c->ticket = ++circuits->last_ticket;
}

/* *out is that of a closed circuit when nothing is known of it. */
void
wf_circuit_look(const WfCircuits *circuits, const char *name, int64 now_ms, WfCircuitLook *out)
{
	const Circuit *c = wf_named_find(&circuits->by_name, name);

	memset(out, 0, sizeof(*out));
	if (c == NULL)
		return;
	out->state = !c->is_open ? WF_CIRCUIT_CLOSED : now_ms < c->retry_at_ms ? WF_CIRCUIT_OPEN : WF_CIRCUIT_HALF_OPEN;
	sum_window(c, now_ms, &out->attempts, &out->failures);
	out->changed_ms = c->changed_ms;
	out->retry_at_ms = c->retry_at_ms;
	out->times_opened = c->times_opened;
}

void
wf_circuit_set(WfCircuits *circuits, const char *name, const WfCircuitLook *look)
{
	bool		is_open = look != NULL && look->state != WF_CIRCUIT_CLOSED;
	Circuit    *c = is_open ? wf_named_enter(&circuits->by_name, name) : wf_named_find(&circuits->by_name, name);

	if (c == NULL)
		return;
	close_circuit(circuits, c, look == NULL ? 0 : look->changed_ms);
	if (!is_open)
		return;
	c->is_open = true;
	c->times_opened = Max(look->times_opened, 1);
	c->retry_at_ms = look->retry_at_ms;
}
