/*
 * limits.c: limits that a tenant has set for a host, or for all of its requests (wf_limit_host), and its quotas.
 *
 * They stand above lanes: a lane may send what its own limits allow, and what those of its host and of its tenant do. Each is kept as
 * a lane of its own, in a table apart, where room is not shared out (lane.c).
 *
 * Requests of a tenant that has used up its quota of requests a minute stay in the outbox until there is room: nothing fails. What was
 * sent in the last minute is counted in shared memory (base/quota.h); each attempt counts.
 */
#include "postgres.h"

#include "base/quota.h"
#include "dispatch/flight.h"
#include "dispatch/named.h"
#include "store/quota.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#define QUOTA_AGAIN_MS 60000	/* with a quota of none */
#define TENANT_CHARS 36			/* of a lane's name, which goes on with a space and the host */

typedef struct Limit
{
	WfNamed		head;			/* "<tenant> <host>", or "<tenant> *" */
	WfLaneLimits limits;
} Limit;

static MemoryContext limits_memory;
static WfNames limits;
static WfLanes *limiters;

void
wf_limits_init(MemoryContext parent)
{
	MemoryContext old = MemoryContextSwitchTo(parent);

	limiters = wf_lanes_create();
	MemoryContextSwitchTo(old);
	limits_memory = AllocSetContextCreate(parent, "workflow limits of hosts", ALLOCSET_SMALL_SIZES);
	wf_named_create(&limits, "workflow limits of hosts", sizeof(Limit), limits_memory);
}

static void
forget_all(void)
{
	HASH_SEQ_STATUS seq;
	Limit	   *limit;

	hash_seq_init(&seq, limits.table);
	while ((limit = hash_seq_search(&seq)) != NULL)
		wf_named_drop(&limits, limit);
}

void
wf_limits_read(void)
{
	ListCell   *cell;
	List	   *rows = wf_store_host_limits();

	forget_all();
	foreach(cell, rows)
	{
		const WfHostLimitRow *row = lfirst(cell);
		char	   *tenant = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&row->tenant_id)));
		Limit	   *limit = wf_named_enter(&limits, psprintf("%s %s", tenant, row->host));

		limit->limits.most = row->concurrency;
		limit->limits.requests = row->requests;
		limit->limits.per_ms = row->requests == 0 ? 0 : row->per_ms;
		limit->limits.burst = row->burst;
	}
}

static void
add(Limiters *out, const char *name, int64 now_ms)
{
	const Limit *limit = wf_named_find(&limits, name);

	if (limit == NULL)
		return;
	out->lanes[out->n] = wf_lane_find(limiters, name);
	wf_lane_limit(out->lanes[out->n++], &limit->limits, now_ms);
}

/* Of more than there is room for, the lowest: the others are passed with these. */
static void
add_quota(Limiters *out, const pg_uuid_t *tenant_id, int64 most)
{
	int			place = out->n_quotas;

	if (place == MOST_QUOTAS)
	{
		place = 0;
		for (int i = 1; i < MOST_QUOTAS; i++)
			if (out->quotas[i].most > out->quotas[place].most)
				place = i;
		if (out->quotas[place].most <= most)
			return;
	}
	else
		out->n_quotas++;
	out->quotas[place].tenant_id = *tenant_id;
	out->quotas[place].most = most;
}

static void
add_quotas(Limiters *out, const char *lane)
{
	Datum		tenant = DirectFunctionCall1(uuid_in, CStringGetDatum(pnstrdup(lane, TENANT_CHARS)));
	const WfQuotaLevels *all = wf_store_quotas(DatumGetUUIDP(tenant));

	for (int i = 0; i < all->n; i++)
		if (all->levels[i].most[WF_QUOTA_REQUESTS_PER_MINUTE] >= 0)
			add_quota(out, &all->levels[i].tenant_id, all->levels[i].most[WF_QUOTA_REQUESTS_PER_MINUTE]);
}

void
wf_limits_of(const char *lane, int64 now_ms, Limiters *out)
{
	int			host_chars;

	out->n = out->n_quotas = 0;
	if (strlen(lane) > TENANT_CHARS)
		add_quotas(out, lane);
	if (wf_named_count(&limits) == 0 || strlen(lane) <= TENANT_CHARS)
		return;
	host_chars = strcspn(lane + TENANT_CHARS + 1, " ");
	add(out, pnstrdup(lane, TENANT_CHARS + 1 + host_chars), now_ms);
	add(out, psprintf("%.*s *", TENANT_CHARS, lane), now_ms);
}

static int
quota_room(const pg_uuid_t *tenant_id, int64 most, int wanted, int64 *again_ms)
{
	int64		first_ms;
	int64		left = most - wf_quota_taken(tenant_id, WF_MINUTE_REQUESTS, &first_ms);

	if (left > 0)
		return (int) Min(wanted, left);
	*again_ms = first_ms > 0 ? first_ms : QUOTA_AGAIN_MS;
	return 0;
}

int
wf_limits_room(const Limiters *of, int wanted, int64 now_ms, int64 *again_ms)
{
	for (int i = 0; i < of->n && wanted > 0; i++)
		wanted = wf_lane_room(of->lanes[i], wanted, PG_INT32_MAX, now_ms, again_ms);
	for (int i = 0; i < of->n_quotas && wanted > 0; i++)
		wanted = quota_room(&of->quotas[i].tenant_id, of->quotas[i].most, wanted, again_ms);
	return wanted;
}

void
wf_limits_begin(Flight *flight, const Limiters *of, int64 now_ms)
{
	flight->limiters = *of;
	for (int i = 0; i < of->n; i++)
		wf_lane_begin(of->lanes[i], now_ms);
	for (int i = 0; i < of->n_quotas; i++)
	{
		int64		unused;

		/* there is room: it was asked for, and nobody else takes any but who sends within a transaction */
		(void) wf_quota_take(&of->quotas[i].tenant_id, WF_MINUTE_REQUESTS, 1, WF_QUOTA_MOST, &unused);
	}
}

void
wf_limits_end(Flight *flight, bool was_begun)
{
	for (int i = 0; i < flight->limiters.n; i++)
	{
		if (was_begun)
			wf_lane_end(flight->limiters.lanes[i]);
		else
			wf_lane_give_back(flight->limiters.lanes[i]);
	}
	for (int i = 0; i < flight->limiters.n_quotas && !was_begun; i++)
		wf_quota_give_back(&flight->limiters.quotas[i].tenant_id, WF_MINUTE_REQUESTS, 1);
	flight->limiters.n = flight->limiters.n_quotas = 0;
}

void
wf_limits_sweep(int64 now_ms)
{
	wf_lanes_sweep(limiters, now_ms);
}
