/*
 * places.c: which workers there may be, and which of them leave for others; a part of the launcher.
 *
 * A tenant may have workers reserved for its runs: of workflow.max_workers so many are started for its messages alone, and deal with
 * no others. The rest is for all, that tenant too. So others never have the last places, however many messages they have.
 * At least one place is for all, whatever is reserved.
 */
#include "postgres.h"

#include "utils/timestamp.h"
#include "worker/launch.h"

#define SLICE_MS 1000			/* that a worker keeps its place when other roles have none */

static bool
is_of(const WfWorkerSlot *slot, const pg_uuid_t *tenant_id)
{
	return slot->is_reserved && memcmp(&slot->tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0;
}

/* How many are for all. */
static int
places_for_all(void)
{
	int			n = wf_processes->n_workers;

	for (int i = 0; i < (int) pg_atomic_read_u32(&wf_processes->n_reserved); i++)
		if (wf_databases_has(wf_processes->reserved[i].database))
			n -= wf_processes->reserved[i].n;
	return Max(n, 1);
}

/* Workers for all that there are, of the role of a slot in its database. */
static int
count_alike(const WfWorkerSlot *like)
{
	int			n = 0;

	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		const WfWorkerSlot *slot = &wf_worker_slots[i];

		if (slot->process.state != WF_PROCESS_NONE && !slot->is_reserved && slot->role == like->role &&
			slot->process.database == like->process.database)
			n++;
	}
	return n;
}

void
wf_places_count(const WfDemand *demand, const bool *is_expected, WfPlaces *places)
{
	int			n_for_all = 0;
	int			n_of_tenant = 0;

	memset(places, 0, sizeof(*places));
	places->free_slot = -1;
	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		const WfWorkerSlot *slot = &wf_worker_slots[i];
		bool		is_mine = slot->process.database == demand->database && slot->role == demand->role;
		bool		is_own = demand->is_reserved && is_of(slot, &demand->tenant_id);

		if (slot->process.state == WF_PROCESS_NONE)
		{
			places->free_slot = is_expected[i] ? places->free_slot : i;
			continue;
		}
		n_for_all += slot->is_reserved ? 0 : 1;
		n_of_tenant += is_own ? 1 : 0;
		if (!is_mine || (slot->is_reserved && !is_own))
			continue;
		*(is_own ? &places->n_own : &places->n) += 1;
		places->n_idle += slot->process.state == WF_PROCESS_IDLE ? 1 : 0;
	}
	places->room = n_for_all < places_for_all();
	places->own_room = demand->is_reserved && n_of_tenant < wf_process_reserved(demand->database, &demand->tenant_id);
}

void
wf_places_drop_surplus(void)
{
	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];
		int			n = 0;

		if (slot->process.state == WF_PROCESS_NONE || !slot->is_reserved || slot->leave || slot->started == 0)
			continue;
		for (int j = 0; j < wf_processes->n_workers; j++)
			if (wf_worker_slots[j].process.state != WF_PROCESS_NONE && !wf_worker_slots[j].leave &&
				wf_worker_slots[j].process.database == slot->process.database && is_of(&wf_worker_slots[j], &slot->tenant_id))
				n++;
		if (n <= wf_process_reserved(slot->process.database, &slot->tenant_id))
			continue;
		slot->leave = true;
		wf_process_wake(&slot->process);
	}
}

/*
 * Whose place is taken for a role that has none: an idle worker's, one's of a role with several, or the oldest. One that is reserved
 * leaves for another role of its tenant, when it is idle.
 */
static WfWorkerSlot *
choose_leaver(const WfDemand *demand, TimestampTz now)
{
	WfWorkerSlot *best = NULL;
	int			best_rank = 0;

	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];
		int			rank;

		if (slot->process.state == WF_PROCESS_NONE || slot->process.state == WF_PROCESS_STARTING || slot->leave ||
			slot->started == 0)
			continue;
		if (slot->is_reserved && !(demand->is_reserved && is_of(slot, &demand->tenant_id) &&
								   slot->process.state == WF_PROCESS_IDLE))
			continue;
		if (slot->process.state == WF_PROCESS_IDLE)
			rank = 3;
		else if (count_alike(slot) > 1)
			rank = 2;
		else if (now >= wf_launch_after_ms(slot->started, SLICE_MS))
			rank = 1;
		else
			continue;
		if (best == NULL || rank > best_rank ||
			(rank == best_rank && (rank == 3 ? slot->process.since < best->process.since : slot->started < best->started)))
		{
			best = slot;
			best_rank = rank;
		}
	}
	return best;
}

void
wf_places_make_room(const WfDemand *demand, int n, TimestampTz now)
{
	WfWorkerSlot *leaver;
	int			n_leaving = 0;
	bool		idle_leaves = false;

	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		const WfWorkerSlot *slot = &wf_worker_slots[i];

		if (slot->process.state == WF_PROCESS_NONE || !slot->leave)
			continue;
		n_leaving++;
		idle_leaves |= slot->process.state == WF_PROCESS_IDLE;
	}
	leaver = choose_leaver(demand, now);
	/* those that are asked may be long at their run: an idle one goes at once */
	if (leaver == NULL || (n_leaving >= n && (idle_leaves || leaver->process.state != WF_PROCESS_IDLE)))
		return;
	leaver->leave = true;
	wf_process_wake(&leaver->process);
}
