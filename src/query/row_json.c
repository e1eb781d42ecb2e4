/*
 * row_json.c: a trigger's firing as `$trigger`.
 *
 * Rows become JSON as those of a statement do (rows.c): columns that were dropped and virtual generated ones are left out. How the rows of a
 * table become JSON is kept per table for the life of the backend, and looked at again for each row, so that a changed table is
 * noticed. What is replaced stays to the end of the transaction: somebody further up may be using it.
 *
 * At statement level the rows come out of PostgreSQL's transition tables one by one; what counts against
 * workflow.max_context_size is their JSON.
 */
#include "query/internal.h"

#include "access/htup_details.h"
#include "base/clock.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "query/row_trigger.h"
#include "query/when.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#define MAX_SHAPES 1000			/* tables kept */

typedef struct Kept
{
	Oid			relid;			/* hash key */
	MemoryContext memory;
	WfRowShape *shape;
} Kept;

static HTAB *kept = NULL;

/* -- shapes -- */

static void
retire(Kept *entry)
{
	if (entry->memory != NULL)
		MemoryContextSetParent(entry->memory, TopTransactionContext);
	entry->memory = NULL;
	entry->shape = NULL;
}

static void
retire_all(void)
{
	HASH_SEQ_STATUS all;
	Kept	   *entry;

	hash_seq_init(&all, kept);
	while ((entry = hash_seq_search(&all)) != NULL)
	{
		retire(entry);
		hash_search(kept, &entry->relid, HASH_REMOVE, NULL);
	}
}

static WfRowShape *
shape_for(Relation relation)
{
	TupleDesc	tupdesc = RelationGetDescr(relation);
	Oid			relid = RelationGetRelid(relation);
	MemoryContext memory;
	MemoryContext old;
	WfRowShape *shape;
	Kept	   *entry;
	bool		found;

	if (kept == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Kept), .hcxt = CacheMemoryContext};

		kept = hash_create("workflow rows", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(kept, &relid, HASH_FIND, NULL);
	if (entry != NULL && wf_query_shape_fits(entry->shape, tupdesc, false))
		return entry->shape;
	if (entry == NULL && hash_get_num_entries(kept) >= MAX_SHAPES)
		retire_all();
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow row shape", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	shape = wf_query_make_shape(tupdesc, false);
	MemoryContextSwitchTo(old);
	entry = hash_search(kept, &relid, HASH_ENTER, &found);
	if (found)
		retire(entry);
	entry->memory = memory;
	entry->shape = shape;
	MemoryContextSetParent(memory, CacheMemoryContext);
	return shape;
}

/* -- rows -- */

static void
begin_sink(WfRowSink *sink, WfRowShape *shape, Size used)
{
	Size		limit = Min((Size) wf_setting_max_context_size * 1024, (Size) JENTRY_OFFLENMASK - 65536);

	wf_query_sink_begin(sink, WF_SINK_ROWS);
	sink->shape = shape;
	sink->of_trigger = true;
	sink->limit = used < limit ? limit - used : 0;
}

static void
one_row(WfRowSink *sink, WfRowShape *shape, Size used, TupleTableSlot *slot, JsonbValue *out)
{
	begin_sink(sink, shape, used);
	wf_query_sink_add(sink, slot);
	wf_query_sink_row(sink, 0, out);
}

/* All rows of a transition table. Others may read it, too, each from a place of his own. */
static void
all_rows(WfRowSink *sink, WfRowShape *shape, Size used, Tuplestorestate *rows, TupleDesc tupdesc, JsonbValue *out)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	int			place = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);

	begin_sink(sink, shape, used);
	tuplestore_select_read_pointer(rows, place);
	tuplestore_rescan(rows);
	for (;;)
	{
		/* converting a value may run a function that reads this table */
		tuplestore_select_read_pointer(rows, place);
		if (!tuplestore_gettupleslot(rows, true, false, slot))
			break;
		CHECK_FOR_INTERRUPTS();
		wf_query_sink_add(sink, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	wf_query_sink_rows(sink, out);
}

WfRowEvent
wf_query_row_event(const TriggerData *data)
{
	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		return WF_ROW_INSERT;
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		return WF_ROW_UPDATE;
	return TRIGGER_FIRED_BY_DELETE(data->tg_event) ? WF_ROW_DELETE : WF_ROW_TRUNCATE;
}

/* The slot of the old or of the new row; NULL when there is none. */
static TupleTableSlot *
slot_of(const TriggerData *data, bool is_old)
{
	WfRowEvent	event = wf_query_row_event(data);

	if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) || !(is_old ? wf_query_row_has_old(event) : wf_query_row_has_new(event)))
		return NULL;
	return event == WF_ROW_UPDATE && !is_old ? data->tg_newslot : data->tg_trigslot;
}

/* One side of the change: a row, rows, or null. */
static void
take_side(const TriggerData *data, bool is_old, Size used, WfRowSink *sink, JsonbValue *out)
{
	Tuplestorestate *rows = is_old ? data->tg_oldtable : data->tg_newtable;
	TupleTableSlot *slot = slot_of(data, is_old);

	if (slot != NULL)
		one_row(sink, shape_for(data->tg_relation), used, slot, out);
	else if (rows != NULL)
		all_rows(sink, shape_for(data->tg_relation), used, rows, RelationGetDescr(data->tg_relation), out);
	else
		wf_json_set_null(out);
}

Jsonb *
wf_query_row_json(const TriggerData *data, Oid relid)
{
	WfRowSink	sinks[2];
	JsonbValue	old;
	JsonbValue	new;
	char	   *table = get_rel_name(relid);
	WfJsonWriter *w;

	take_side(data, true, 0, &sinks[0], &old);
	take_side(data, false, old.type == jbvBinary ? old.val.binary.len : 0, &sinks[1], &new);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "op", wf_query_row_op(wf_query_row_event(data)));
	wf_json_put_field_cstring(w, "schema", table != NULL ? get_namespace_name(get_rel_namespace(relid)) : NULL);
	wf_json_put_field_cstring(w, "table", table);
	wf_json_put_field(w, "new", &new);
	wf_json_put_field(w, "old", &old);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- conditions -- */

typedef struct RowScope
{
	WfScope		scope;
	JsonbValue	trigger;
} RowScope;

static bool
scope_root(WfScope *scope, WfRoot root, JsonbValue *out)
{
	if (root != WF_ROOT_TRIGGER)
		return false;
	*out = ((RowScope *) scope)->trigger;
	return true;
}

static bool
scope_node(WfScope *scope, int node_index, WfNodePart part, JsonbValue *out)
{
	return false;
}

WfScope *
wf_query_row_scope(const Jsonb *trigger)
{
	RowScope   *result = palloc0(sizeof(RowScope));

	result->scope.root = scope_root;
	result->scope.node = scope_node;
	result->scope.now = wf_clock_now();
	wf_json_root(trigger, &result->trigger);
	return &result->scope;
}

bool
wf_query_row_is_changed(const TriggerData *data, const WfRowConfig *config)
{
	TupleTableSlot *old = slot_of(data, true);
	TupleTableSlot *new = slot_of(data, false);

	if (config->n_columns == 0 || old == NULL || new == NULL)
		return true;
	for (int i = 0; i < config->n_columns; i++)
	{
		AttrNumber	number = get_attnum(RelationGetRelid(data->tg_relation), config->columns[i]);
		Form_pg_attribute attribute;
		bool		was_null;
		bool		is_null;
		Datum		before;
		Datum		after;

		if (number <= 0)
			continue;
		attribute = TupleDescAttr(RelationGetDescr(data->tg_relation), number - 1);
		before = slot_getattr(old, number, &was_null);
		after = slot_getattr(new, number, &is_null);
		if (was_null != is_null ||
			(!is_null && !datum_image_eq(before, after, attribute->attbyval, attribute->attlen)))
			return true;
	}
	return false;
}
