/*
 * rows.c: tuples as JSON, straight from the executor.
 *
 * A statement's tuples are not gathered in an SPI tuple table: WfRowSink is the DestReceiver of the
 * plan and turns each slot into the bytes of one jsonb object as it comes. The head of that object
 * (its header, its keys and their entries) is the same for each row, so it is made once per plan and
 * copied; values are written behind it. Values are what to_jsonb gives, byte for byte; for common
 * types without calling it.
 *
 * What has been gathered is counted: past `workflow.max_output_size` the sink throws WF006, so that a
 * look-up in a huge table ends early instead of filling the memory.
 *
 * A shape is kept with its plan and compared with the tuple descriptor at the start of each
 * execution, because a plan may be made again at any time; a shape that no longer fits is replaced,
 * never changed (an execution further up the stack may be using it).
 */
#include "query/internal.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Rows after which temporary memory is given back row by row. */
#define SCRATCH_AFTER 16

/* -- the shape of a plan's rows -- */

typedef struct Key
{
	const char *name;
	int			length;
	int			attribute;
} Key;

/* jsonb's order; of equal names the last attribute first. */
static int
compare_keys(const void *a, const void *b)
{
	const Key  *left = a;
	const Key  *right = b;
	int			result;

	if (left->length != right->length)
		return left->length - right->length;
	result = memcmp(left->name, right->name, left->length);
	return result != 0 ? result : right->attribute - left->attribute;
}

/* The constant part of a row: header, entries, keys. Entries of values are left for each row. */
static void
make_head(WfRowShape *shape)
{
	int			total = 0;
	char	   *keys;
	JEntry	   *entries;

	for (int i = 0; i < shape->n; i++)
		total += strlen(shape->names[shape->columns[i].attribute]);
	shape->keys_len = total;
	shape->head_len = sizeof(uint32) + sizeof(JEntry) * 2 * shape->n + total;
	shape->head = palloc0(shape->head_len);
	*(uint32 *) shape->head = shape->n | JB_FOBJECT;
	entries = (JEntry *) (shape->head + sizeof(uint32));
	keys = shape->head + shape->head_len - total;
	total = 0;
	for (int i = 0; i < shape->n; i++)
	{
		const char *name = shape->names[shape->columns[i].attribute];
		int			length = strlen(name);

		memcpy(keys + total, name, length);
		total += length;
		entries[i] = JENTRY_ISSTRING | (i % JB_OFFSET_STRIDE == 0 ? (uint32) total | JENTRY_HAS_OFF : (uint32) length);
	}
}

/* In CurrentMemoryContext. Columns that were dropped or are virtual have no member. */
WfRowShape *
wf_query_make_shape(TupleDesc tupdesc, bool flagged)
{
	WfRowShape *shape = palloc0(sizeof(WfRowShape));
	int			n = 0;
	Key		   *keys = palloc(sizeof(Key) * (tupdesc->natts + 1));

	shape->n_attributes = tupdesc->natts;
	shape->flagged = flagged;
	shape->types = palloc(sizeof(Oid) * (tupdesc->natts + 1));
	shape->names = palloc(sizeof(char *) * (tupdesc->natts + 1));
	shape->columns = palloc(sizeof(WfRowColumn) * (tupdesc->natts + 1));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		shape->types[i] = TupleDescAttr(tupdesc, i)->atttypid;
		shape->names[i] = pstrdup(NameStr(TupleDescAttr(tupdesc, i)->attname));
	}
	for (int i = 0; i < tupdesc->natts - (flagged ? 1 : 0); i++)
		if (!TupleDescAttr(tupdesc, i)->attisdropped && !WF_COMPAT_IS_VIRTUAL(TupleDescAttr(tupdesc, i)->attgenerated))
			keys[n++] = (Key) {shape->names[i], strlen(shape->names[i]), i};
	qsort(keys, n, sizeof(Key), compare_keys);
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && strcmp(keys[i].name, keys[i - 1].name) == 0)
			continue;
		shape->columns[shape->n].attribute = keys[i].attribute;
		shape->columns[shape->n++].type = wf_query_type(shape->types[keys[i].attribute]);
	}
	pfree(keys);
	make_head(shape);
	return shape;
}

bool
wf_query_shape_fits(const WfRowShape *shape, TupleDesc tupdesc, bool flagged)
{
	if (shape == NULL || shape->n_attributes != tupdesc->natts || shape->flagged != flagged)
		return false;
	for (int i = 0; i < tupdesc->natts; i++)
		if (shape->types[i] != TupleDescAttr(tupdesc, i)->atttypid ||
			strcmp(shape->names[i], NameStr(TupleDescAttr(tupdesc, i)->attname)) != 0)
			return false;
	for (int i = 0; i < shape->n; i++)
		if (!shape->columns[i].type->valid)
			return false;
	return true;
}

/* -- one row -- */

static void
reserve(StringInfo buffer, int length)
{
	enlargeStringInfo(buffer, length);
	buffer->len += length;
}

static void
align(StringInfo buffer)
{
	int			at = buffer->len;

	reserve(buffer, INTALIGN(at) - at);
	memset(buffer->data + at, 0, buffer->len - at);
}

static void
append_value(StringInfo buffer, JEntry *entry, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			*entry = JENTRY_ISNULL;
			return;
		case jbvBool:
			*entry = value->val.boolean ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE;
			return;
		case jbvString:
			appendBinaryStringInfoNT(buffer, value->val.string.val, value->val.string.len);
			*entry = JENTRY_ISSTRING;
			return;
		case jbvNumeric:
			align(buffer);
			appendBinaryStringInfoNT(buffer, (char *) value->val.numeric, VARSIZE_ANY(value->val.numeric));
			*entry = JENTRY_ISNUMERIC;
			return;
		case jbvBinary:
			align(buffer);
			appendBinaryStringInfoNT(buffer, (char *) value->val.binary.data, value->val.binary.len);
			*entry = JENTRY_ISCONTAINER;
			return;
		default:
			elog(ERROR, "JSON value of unexpected type %d", (int) value->type);
	}
}

pg_noreturn static void
too_big(WfRowSink *sink)
{
	if (sink->of_trigger)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("rows of the trigger exceed the limit of %d kB", wf_setting_max_context_size),
						errhint("Change fewer rows in one statement, or raise \"workflow.max_context_size\".")));
	ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
					errmsg("output exceeds the limit of %d kB", (int) (sink->limit / 1024)),
					errdetail("%d rows were read until then.", sink->n_rows),
					errhint("Ask for fewer rows or columns, or raise \"workflow.max_output_size\".")));
}

/* Appends the slot as an object at the end of the buffer, which is aligned. */
static void
append_row(WfRowSink *sink, TupleTableSlot *slot)
{
	const WfRowShape *shape = sink->shape;
	StringInfo	buffer = &sink->buffer;
	int			start = buffer->len;
	int			data;

	appendBinaryStringInfoNT(buffer, shape->head, shape->head_len);
	data = buffer->len - shape->keys_len;
	for (int i = 0; i < shape->n; i++)
	{
		const WfRowColumn *column = &shape->columns[i];
		int			index = shape->n + i;
		int			before = buffer->len;
		JsonbValue	value;
		JEntry		entry;

		if (slot->tts_isnull[column->attribute])
			entry = JENTRY_ISNULL;
		else
		{
			wf_query_emit(column->type, slot->tts_values[column->attribute], &value);
			if (wf_json_size(&value) > sink->limit)
				too_big(sink);
			append_value(buffer, &entry, &value);
			if (buffer->len > sink->limit)
				too_big(sink);
		}
		if (index % JB_OFFSET_STRIDE == 0)
			entry |= (uint32) (buffer->len - data) | JENTRY_HAS_OFF;
		else
			entry |= (uint32) (buffer->len - before);
		memcpy(buffer->data + start + sizeof(uint32) + sizeof(JEntry) * index, &entry, sizeof(JEntry));
	}
}

static void
keep_row(WfRowSink *sink, TupleTableSlot *slot)
{
	align(&sink->buffer);
	append_row(sink, slot);
	if (sink->n_rows >= sink->max_rows)
	{
		sink->max_rows = sink->max_rows == 0 ? 8 : sink->max_rows * 2;
		if (sink->ends == NULL)
			sink->ends = MemoryContextAlloc(sink->memory, sizeof(uint32) * sink->max_rows);
		else
			sink->ends = repalloc_huge(sink->ends, sizeof(uint32) * (Size) sink->max_rows);
	}
	sink->ends[sink->n_rows++] = sink->buffer.len;
	if (sink->buffer.len + sizeof(JEntry) * (Size) sink->n_rows > sink->limit)
		too_big(sink);
}

static void
keep_value(WfRowSink *sink, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(sink->memory);
	JsonbValue	value;

	sink->has_value = true;
	wf_json_set_null(&sink->value);
	if (slot->tts_tupleDescriptor->natts > 0)
	{
		wf_query_datum_to_json(slot->tts_values[0], slot->tts_isnull[0],
							   TupleDescAttr(slot->tts_tupleDescriptor, 0)->atttypid, &value);
		if (wf_json_size(&value) > sink->limit)
			too_big(sink);
		wf_json_root(wf_json_copy(&value), &sink->value);
	}
	MemoryContextSwitchTo(old);
}

/* Adds a row whose values are in the slot's arrays. */
static void
add_row(WfRowSink *sink, TupleTableSlot *slot)
{
	MemoryContext old;

	if (sink->n_rows < SCRATCH_AFTER)
	{
		keep_row(sink, slot);
		return;
	}
	if (sink->scratch == NULL)
		sink->scratch = AllocSetContextCreate(sink->memory, "workflow row", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(sink->scratch);
	keep_row(sink, slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(sink->scratch);
}

void
wf_query_sink_add(WfRowSink *sink, TupleTableSlot *slot)
{
	if (slot->tts_tupleDescriptor->natts < sink->shape->n_attributes)
		elog(ERROR, "a row has %d attributes, not %d", slot->tts_tupleDescriptor->natts, sink->shape->n_attributes);
	slot_getallattrs(slot);
	add_row(sink, slot);
}

/* -- the receiver -- */

static bool
sink_receive(TupleTableSlot *slot, DestReceiver *self)
{
	WfRowSink  *sink = (WfRowSink *) self;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	if (sink->flagged)
	{
		int			last = slot->tts_tupleDescriptor->natts - 1;

		sink->flag = !slot->tts_isnull[last] && DatumGetBool(slot->tts_values[last]);
	}
	if (sink->keeps_value && !sink->has_value)
		keep_value(sink, slot);
	if (sink->mode == WF_SINK_NONE || sink->mode == WF_SINK_VALUE || (sink->mode == WF_SINK_FIRST && sink->n_rows > 0))
		return true;
	add_row(sink, slot);
	return true;
}

static void
sink_startup(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	WfRowSink  *sink = (WfRowSink *) self;
	WfPlan	   *plan = sink->plan;

	if (sink->mode == WF_SINK_NONE || sink->mode == WF_SINK_VALUE)
		return;
	if (!wf_query_shape_fits(plan->shape, tupdesc, sink->flagged))
	{
		MemoryContext old = MemoryContextSwitchTo(plan->memory);

		plan->shape = wf_query_make_shape(tupdesc, sink->flagged);
		MemoryContextSwitchTo(old);
	}
	sink->shape = plan->shape;
}

static void
sink_nothing(DestReceiver *self)
{
}

void
wf_query_sink_begin(WfRowSink *sink, WfSinkMode mode)
{
	memset(sink, 0, sizeof(WfRowSink));
	sink->pub.receiveSlot = sink_receive;
	sink->pub.rStartup = sink_startup;
	sink->pub.rShutdown = sink_nothing;
	sink->pub.rDestroy = sink_nothing;
	sink->pub.mydest = DestTuplestore;
	sink->mode = mode;
	sink->keeps_value = mode == WF_SINK_VALUE;
	sink->memory = CurrentMemoryContext;
	sink->limit = Min((Size) wf_setting_max_output_size * 1024, (Size) JENTRY_OFFLENMASK - 1024);
	initStringInfo(&sink->buffer);
}

void
wf_query_sink_row(WfRowSink *sink, int index, JsonbValue *out)
{
	uint32		start;

	if (index >= sink->n_rows)
	{
		wf_json_set_null(out);
		return;
	}
	start = index == 0 ? 0 : INTALIGN(sink->ends[index - 1]);
	out->type = jbvBinary;
	out->val.binary.data = (JsonbContainer *) (sink->buffer.data + start);
	out->val.binary.len = sink->ends[index] - start;
}

/* The rows' bytes are copied once, behind the header and the entries of the array. */
void
wf_query_sink_rows(WfRowSink *sink, JsonbValue *out)
{
	Size		head = sizeof(uint32) + sizeof(JEntry) * (Size) sink->n_rows;
	char	   *container = MemoryContextAllocHuge(sink->memory, head + sink->buffer.len);
	JEntry	   *entries = (JEntry *) (container + sizeof(uint32));

	*(uint32 *) container = sink->n_rows | JB_FARRAY;
	for (int i = 0; i < sink->n_rows; i++)
	{
		uint32		length = sink->ends[i] - (i == 0 ? 0 : sink->ends[i - 1]);

		entries[i] = JENTRY_ISCONTAINER |
			(i % JB_OFFSET_STRIDE == 0 ? sink->ends[i] | JENTRY_HAS_OFF : length);
	}
	memcpy(container + head, sink->buffer.data, sink->buffer.len);
	out->type = jbvBinary;
	out->val.binary.data = (JsonbContainer *) container;
	out->val.binary.len = head + sink->buffer.len;
}
