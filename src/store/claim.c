/*
 * claim.c: which messages a worker gets next.
 *
 * 1. A claim walks the index queue_ready (role, priority, tenant, message). The highest priority comes first; within a
 *    priority the tenants come in turn, beginning behind the last one served, with the same share each, and what some
 *    leave goes to those who have more.
 * 2. In a queue most index entries are dead: of messages that were dealt with since the last vacuum, or all of them while
 *    somebody keeps an old snapshot open. They are at the front of each tenant's part, and to walk over them would cost
 *    more than all the rest. So a backend remembers parts, which are pairs of a priority and a tenant, with the first
 *    living message of each (its floor), and begins there. Between the parts that it knows it looks for others, where
 *    there is nothing to walk over.
 * 3. Messages of tenants that are not active stay where they are. The list of these is empty as a rule (tenant_status.c).
 * 4. Ids are in the order of time, but commits are not: a message may come to be below a floor. So before a claim comes
 *    back empty, and once a second, everything is looked at (look_at_all), more seldom if that takes long. A message
 *    that comes late waits that long at most, and the worker that its commit wakes finds it.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "miscadmin.h"
#include "store/queue.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MOST_PARTS 256
#define LOOK_EVERY_US (1000 * INT64CONST(1000))
/* A look may take this share of the time: one part in so many. */
#define LOOK_SHARE 20
/* No floor is set nearer to now than this: most of what is not committed yet is above. */
#define FLOOR_MARGIN_US (100 * INT64CONST(1000))
/* An empty part is forgotten after so long: a vacuum will have been there. */
#define FORGET_US (120 * INT64CONST(1000000))

typedef struct Part
{
	int			priority;
	pg_uuid_t	tenant_id;
	pg_uuid_t	floor;			/* messages below are dealt with, but for late ones */
	TimestampTz seen_at;		/* when look_at_all last found messages, or it was found */
} Part;

/* What this backend knows of the queue; of one role, as a worker serves one. In the order of the index. */
static struct
{
	Oid			table;
	Oid			role;
	TimestampTz looked_at;		/* 0: never */
	int64		look_us;		/* that took so long */
	TimestampTz claimed_at;		/* the claim at hand */
	int			n;
	Part		parts[MOST_PARTS];
}			known;

/* Of the claim at hand: runs whose messages are passed over. */
static const pg_uuid_t *left_out;
static int	n_left_out = 0;
static const pg_uuid_t *only_tenant = NULL;	/* NULL: all */

static int
compare_ids(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN);
}

/* The place of a part among those known; where it would be when it is not. */
static int
find_part(int priority, const pg_uuid_t *tenant_id, bool *found)
{
	int			low = 0;
	int			high = known.n;

	*found = false;
	while (low < high)
	{
		int			middle = (low + high) / 2;
		const Part *part = &known.parts[middle];
		int			order = part->priority != priority ? (part->priority > priority ? -1 : 1) :
			compare_ids(&part->tenant_id, tenant_id);

		if (order == 0)
		{
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Remembers that the message at hand is the first of its part. */
static void
note_floor(const WfWalk *walk)
{
	int			priority = DatumGetInt16(wf_store_walk_column(walk, MESSAGE_PRIORITY));
	const pg_uuid_t *tenant_id = wf_store_walk_id(walk, MESSAGE_TENANT_ID);
	bool		found;
	int			place = find_part(priority, tenant_id, &found);
	Part	   *part = &known.parts[place];

	if (!found)
	{
		if (known.n == MOST_PARTS)
			return;
		memmove(part + 1, part, sizeof(Part) * (known.n - place));
		known.n++;
		part->priority = priority;
		part->tenant_id = *tenant_id;
	}
	part->floor = *wf_store_walk_id(walk, MESSAGE_MESSAGE_ID);
	part->seen_at = known.claimed_at;
}

/* -- keys of queue_ready: role, priority, tenant, message -- */

static int
key_role(ScanKeyData *keys, Oid role)
{
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(role));
	return 1;
}

static int
key_priority(ScanKeyData *keys, int n, StrategyNumber strategy, int priority)
{
	ScanKeyInit(&keys[n], 2, strategy, strategy == BTEqualStrategyNumber ? F_INT2EQ :
				strategy == BTLessStrategyNumber ? F_INT2LT : F_INT2GT, Int16GetDatum(priority));
	return n + 1;
}

/* -- looking at all -- */

/* Is there a message at all behind this priority and tenant? That is the first of its part. */
static bool
first_behind(WfWalk *walk, Oid role, int priority, const pg_uuid_t *tenant_id)
{
	ScanKeyData keys[3];
	int			n = key_role(keys, role);

	if (tenant_id != NULL)
	{
		n = key_priority(keys, n, BTEqualStrategyNumber, priority);
		wf_store_key_uuid(&keys[n++], 3, BTGreaterStrategyNumber, tenant_id);
		wf_store_walk_from(walk, keys, n);
		if (wf_store_walk_next(walk))
			return true;
		n = key_role(keys, role);
	}
	n = key_priority(keys, n, BTLessStrategyNumber, priority);
	wf_store_walk_from(walk, keys, n);
	return wf_store_walk_next(walk);
}

/* Finds the parts and their floors, whatever there is to walk over. */
static void
look_at_all(WfWalk *walk, Oid role)
{
	TimestampTz now = wf_clock_now();
	pg_uuid_t	recent = {{0}};
	pg_uuid_t	tenant_id;
	int			priority = PG_INT16_MAX;
	bool		more;
	int			n = 0;

	more = first_behind(walk, role, priority, NULL);
	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		note_floor(walk);
		priority = DatumGetInt16(wf_store_walk_column(walk, MESSAGE_PRIORITY));
		tenant_id = *wf_store_walk_id(walk, MESSAGE_TENANT_ID);
		more = first_behind(walk, role, priority, &tenant_id);
	}
	/* a part that is empty is kept for a while, as its dead entries are there still, unless room is needed */
	wf_uuid_set_time(&recent, now - FLOOR_MARGIN_US);
	for (int i = 0; i < known.n; i++)
	{
		Part	   *part = &known.parts[i];
		bool		is_empty = part->seen_at != known.claimed_at;

		if (is_empty && (known.n == MOST_PARTS || now - part->seen_at > FORGET_US))
			continue;
		if (is_empty && compare_ids(&part->floor, &recent) < 0)
			part->floor = recent;
		known.parts[n++] = *part;
	}
	known.n = n;
	known.looked_at = wf_clock_now();
	known.look_us = known.looked_at - now;
}

/* -- claiming -- */

/* The highest priority below `below` that a part is known of, or that somebody waits at; false: none. */
static bool
next_priority(WfWalk *walk, Oid role, int below, int *priority)
{
	ScanKeyData keys[3];
	int			n = key_role(keys, role);
	int			best = PG_INT32_MIN;

	for (int i = 0; i < known.n && best == PG_INT32_MIN; i++)
		if (known.parts[i].priority < below)
			best = known.parts[i].priority;
	n = key_priority(keys, n, BTLessStrategyNumber, below);
	if (best != PG_INT32_MIN)
		n = key_priority(keys, n, BTGreaterStrategyNumber, best);
	wf_store_walk_from(walk, keys, n);
	if (wf_store_walk_next(walk))
	{
		note_floor(walk);
		*priority = DatumGetInt16(wf_store_walk_column(walk, MESSAGE_PRIORITY));
		return true;
	}
	*priority = best;
	return best != PG_INT32_MIN;
}

/*
 * The first tenant behind `after` (NULL: of all; with `up_to`: not behind that one) of which a part is known, or that has
 * messages of the priority; false: none.
 */
static bool
next_tenant(WfWalk *walk, Oid role, int priority, const pg_uuid_t *after, const pg_uuid_t *up_to, pg_uuid_t *tenant_id)
{
	static const pg_uuid_t zero = {{0}};
	const pg_uuid_t *bound = up_to;
	const Part *part = NULL;
	ScanKeyData keys[4];
	bool		found;
	int			place = find_part(priority, after != NULL ? after : &zero, &found);
	int			n = key_role(keys, role);

	place += found && after != NULL ? 1 : 0;
	if (place < known.n && known.parts[place].priority == priority)
		part = &known.parts[place];
	if (part != NULL && (up_to == NULL || compare_ids(&part->tenant_id, up_to) <= 0))
		bound = &part->tenant_id;
	else
		part = NULL;
	n = key_priority(keys, n, BTEqualStrategyNumber, priority);
	if (after != NULL)
		wf_store_key_uuid(&keys[n++], 3, BTGreaterStrategyNumber, after);
	if (bound != NULL)
		wf_store_key_uuid(&keys[n++], 3, part != NULL ? BTLessStrategyNumber : BTLessEqualStrategyNumber, bound);
	wf_store_walk_from(walk, keys, n);
	if (wf_store_walk_next(walk))
	{
		note_floor(walk);
		*tenant_id = *wf_store_walk_id(walk, MESSAGE_TENANT_ID);
		return true;
	}
	if (part == NULL)
		return false;
	*tenant_id = part->tenant_id;
	return true;
}

/* What a tenant gets in a claim. */
typedef struct Share
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	last;			/* message: go on behind it */
	bool		has_begun;		/* `last` is set */
	bool		has_more;
} Share;

/* The tenant that was found gets a share, unless it is suspended. Behind whom to go on. */
static const pg_uuid_t *
take_tenant(Share *shares, int *n, pg_uuid_t *halted)
{
	if (wf_store_tenant_status(&shares[*n].tenant_id) == WF_TENANT_ACTIVE)
		return &shares[(*n)++].tenant_id;
	*halted = shares[*n].tenant_id;
	return halted;
}

/* Tenants of the priority that are active, in turn from behind *last: at most `most`. */
static int
list_tenants(WfWalk *walk, Oid role, int priority, const pg_uuid_t *last, int most, Share *shares)
{
	const pg_uuid_t *after = last;
	int			n = 0;
	pg_uuid_t	halted;			/* the last that was passed over */

	if (only_tenant != NULL)
	{
		shares[0].tenant_id = *only_tenant;
		(void) take_tenant(shares, &n, &halted);
		return n;
	}

	while (n < most && next_tenant(walk, role, priority, after, NULL, &shares[n].tenant_id))
		after = take_tenant(shares, &n, &halted);
	after = NULL;
	while (n < most && next_tenant(walk, role, priority, after, last, &shares[n].tenant_id))
		after = take_tenant(shares, &n, &halted);
	return n;
}

static bool
is_left_out(const WfWalk *walk)
{
	const pg_uuid_t *run_id;

	if (n_left_out == 0)
		return false;
	run_id = wf_store_walk_id(walk, MESSAGE_RUN_ID);
	for (int i = 0; i < n_left_out; i++)
		if (compare_ids(run_id, &left_out[i]) == 0)
			return true;
	return false;
}

/* Claims at most `most` messages of a tenant and a priority. */
static List *
claim_share(WfWalk *walk, Oid role, int priority, Share *share, int most, List *messages)
{
	ScanKeyData keys[4];
	bool		is_known;
	int			place = find_part(priority, &share->tenant_id, &is_known);
	bool		is_first = !share->has_begun;
	int			n = key_role(keys, role);

	n = key_priority(keys, n, BTEqualStrategyNumber, priority);
	wf_store_key_uuid(&keys[n++], 3, BTEqualStrategyNumber, &share->tenant_id);
	if (share->has_begun)
		wf_store_key_uuid(&keys[n++], 4, BTGreaterStrategyNumber, &share->last);
	else if (is_known)
		wf_store_key_uuid(&keys[n++], 4, BTGreaterEqualStrategyNumber, &known.parts[place].floor);
	wf_store_walk_from(walk, keys, n);
	while (most > 0)
	{
		share->has_more = wf_store_walk_next(walk);
		if (!share->has_more)
			break;
		if (is_first)
			note_floor(walk);
		is_first = false;
		share->last = *wf_store_walk_id(walk, MESSAGE_MESSAGE_ID);
		share->has_begun = true;
		if (is_left_out(walk) || !wf_store_walk_hold(walk))
			continue;
		messages = lappend(messages, wf_store_walk_message(walk));
		most--;
	}
	return messages;
}

/* Claims of one priority: equal shares, and what is left to whoever has more. */
static List *
claim_priority(WfWalk *walk, Oid role, int priority, int most, pg_uuid_t *last_tenant, List *messages)
{
	/* parts that are known may be empty */
	int			most_shares = most - list_length(messages) + MOST_PARTS;
	Share	   *shares = palloc(sizeof(Share) * most_shares);
	int			n = list_tenants(walk, role, priority, last_tenant, most_shares, shares);
	int			n_open = n;

	for (int i = 0; i < n; i++)
	{
		shares[i].has_begun = false;
		shares[i].has_more = true;
	}
	while (n_open > 0 && list_length(messages) < most)
	{
		int			share = Max((most - list_length(messages)) / n_open, 1);

		n_open = 0;
		for (int i = 0; i < n && list_length(messages) < most; i++)
		{
			int			before = list_length(messages);

			if (!shares[i].has_more)
				continue;
			messages = claim_share(walk, role, priority, &shares[i], Min(share, most - before), messages);
			if (list_length(messages) > before)
				*last_tenant = shares[i].tenant_id;
			n_open += shares[i].has_more ? 1 : 0;
		}
	}
	pfree(shares);
	return messages;
}

static List *
claim(WfWalk *walk, Oid role, int most, pg_uuid_t *last_tenant)
{
	List	   *messages = NIL;
	int			priority = PG_INT16_MAX;

	while (list_length(messages) < most && next_priority(walk, role, priority, &priority))
		messages = claim_priority(walk, role, priority, most, last_tenant, messages);
	return messages;
}

static const pg_uuid_t no_tenant = {{0}};

List *
wf_store_claim(Oid role, int most, pg_uuid_t *last_tenant)
{
	TimestampTz now = wf_clock_now();
	List	   *messages;
	bool		looked = false;
	WfWalk		walk;

	known.claimed_at = now;
	(void) wf_store_tenant_status(&no_tenant);	/* read before the walk */
	wf_store_walk_begin(&walk, "queue_ready");
	if (known.role != role || known.table != RelationGetRelid(walk.heap))
	{
		known.role = role;
		known.table = RelationGetRelid(walk.heap);
		known.n = 0;
		known.looked_at = 0;
	}
	if (known.looked_at == 0 || now < known.looked_at ||
		now - known.looked_at > Max(LOOK_EVERY_US, known.look_us * LOOK_SHARE))
	{
		look_at_all(&walk, role);
		looked = true;
	}
	messages = claim(&walk, role, most, last_tenant);
	if (messages == NIL && !looked)
	{
		look_at_all(&walk, role);
		messages = claim(&walk, role, most, last_tenant);
	}
	wf_store_walk_end(&walk);
	return messages;
}

List *
wf_store_claim_others(Oid role, const pg_uuid_t *tenant_id, int most, pg_uuid_t *last_tenant,
					  const pg_uuid_t *without, int n_without)
{
	List	   *messages = NIL;

	only_tenant = tenant_id;
	left_out = without;
	n_left_out = n_without;
	PG_TRY();
	{
		messages = wf_store_claim(role, most, last_tenant);
	}
	PG_FINALLY();
	{
		n_left_out = 0;
		only_tenant = NULL;
	}
	PG_END_TRY();
	return messages;
}
