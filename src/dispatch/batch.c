/*
 * batch.c: the record that attempts begin: one row for all that a transaction claims, by tenant.
 *
 * Rows of the outbox are not touched by it: a request that goes well is written once, when it is asked for, and deleted once.
 * A row of attempts goes with the last of its requests. What is left of one when a dispatcher begins are attempts that were cut short.
 */
#include "postgres.h"

#include "base/uuid.h"
#include "dispatch/flight.h"
#include "utils/memutils.h"

struct Batch
{
	dlist_node	node;
	pg_uuid_t	batch_id;
	int			n_tenants;
	pg_uuid_t  *tenants;
	int			n_open;			/* flights of it */
	int			n_recorded;		/* of these, by the transaction at hand */
	bool		is_new;			/* made by the transaction at hand */
	bool		is_deleted;		/* by the transaction at hand */
};

static dlist_head batches = DLIST_STATIC_INIT(batches);

static Batch *
make(void)
{
	Batch	   *batch = MemoryContextAllocZero(TopMemoryContext, sizeof(Batch));

	batch->is_new = true;
	wf_uuid_make(&batch->batch_id);
	dlist_push_tail(&batches, &batch->node);
	return batch;
}

static void
drop(Batch *batch)
{
	dlist_delete(&batch->node);
	if (batch->tenants != NULL)
		pfree(batch->tenants);
	pfree(batch);
}

static int
by_tenant(const ListCell *a, const ListCell *b)
{
	return memcmp(&((Flight *) lfirst(a))->row.tenant_id, &((Flight *) lfirst(b))->row.tenant_id, sizeof(pg_uuid_t));
}

void
wf_batch_begin(List *flights, TimestampTz now)
{
	int			n = list_length(flights);
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	Batch	   *batch;

	if (n == 0)
		return;
	batch = make();
	batch->tenants = MemoryContextAlloc(TopMemoryContext, sizeof(pg_uuid_t) * n);
	list_sort(flights, by_tenant);
	for (int i = 0; i < n;)
	{
		const pg_uuid_t *tenant_id = &((Flight *) list_nth(flights, i))->row.tenant_id;
		int			n_ids = 0;

		while (i < n && memcmp(&((Flight *) list_nth(flights, i))->row.tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0)
		{
			Flight	   *flight = list_nth(flights, i++);

			flight->batch = batch;
			batch->n_open++;
			ids[n_ids++] = flight->row.request_id;
		}
		batch->tenants[batch->n_tenants++] = *tenant_id;
		wf_store_begin_attempts(tenant_id, &batch->batch_id, now, ids, n_ids);
	}
}

void
wf_batch_leave(Flight *flight)
{
	if (flight->batch != NULL)
		flight->batch->n_open--;
	flight->batch = NULL;
}

void
wf_batch_note_recorded(const Flight *flight)
{
	if (flight->batch != NULL)
		flight->batch->n_recorded++;
}

void
wf_batch_write(void)
{
	dlist_iter	it;

	dlist_foreach(it, &batches)
	{
		Batch	   *batch = dlist_container(Batch, node, it.cur);

		if (batch->is_new || batch->n_recorded < batch->n_open)
			continue;
		for (int i = 0; i < batch->n_tenants; i++)
			wf_store_end_batch(&batch->tenants[i], &batch->batch_id);
		batch->is_deleted = true;
	}
}

void
wf_batch_settle(bool committed)
{
	dlist_mutable_iter it;

	dlist_foreach_modify(it, &batches)
	{
		Batch	   *batch = dlist_container(Batch, node, it.cur);

		batch->n_recorded = 0;
		if (committed ? batch->is_deleted : batch->is_new)
		{
			Assert(batch->n_open == 0);
			drop(batch);
			continue;
		}
		batch->is_deleted = batch->is_new = false;
	}
}
