/*
 * output.c: the output of each kind of statement, always of the same shape.
 */
#include "query/internal.h"

static void
put_rows(WfJsonWriter *w, WfRowSink *sink, bool wanted)
{
	JsonbValue	rows;

	wf_json_key(w, "rows", 4);
	if (wanted)
	{
		wf_query_sink_rows(sink, &rows);
		wf_json_put(w, &rows);
		return;
	}
	wf_json_begin_array(w);
	wf_json_end_array(w);
}

static void
put_row(WfJsonWriter *w, WfRowSink *sink, bool wanted)
{
	JsonbValue	row;

	wf_json_set_null(&row);
	if (wanted)
		wf_query_sink_row(sink, 0, &row);
	wf_json_put_field(w, "row", &row);
}

static void
put_value(WfJsonWriter *w, WfRowSink *sink, bool of_row)
{
	JsonbValue	value;

	wf_json_set_null(&value);
	if (sink->has_value)
		value = sink->value;
	else if (of_row && sink->n_rows > 0)
		wf_query_sink_row(sink, 0, &value);
	wf_json_put_field(w, "value", &value);
}

static void
put_output(WfJsonWriter *w, WfQueryKind kind, WfRowSink *sink, const WfRan *ran, bool inserted)
{
	bool		is_write = kind == WF_QUERY_UPDATE || kind == WF_QUERY_DELETE;

	switch (kind)
	{
		case WF_QUERY_FIND_ONE:
			put_row(w, sink, true);
			return;
		case WF_QUERY_CREATE:
			put_row(w, sink, ran->returns);
			break;
		case WF_QUERY_UPSERT:
			put_row(w, sink, ran->returns);
			wf_json_put_field_bool(w, "inserted", inserted);
			break;
		case WF_QUERY_CALL:
			if (ran->format == WF_SINK_ROWS)
			{
				put_rows(w, sink, true);
				break;
			}
			put_value(w, sink, true);
			return;
		case WF_QUERY_SQL:
			if (ran->format == WF_SINK_ROWS)
			{
				put_rows(w, sink, ran->returns);
				break;
			}
			if (ran->format == WF_SINK_NONE)
				break;
			if (ran->format == WF_SINK_FIRST)
				put_row(w, sink, ran->returns);
			else
				put_value(w, sink, false);
			return;
		case WF_QUERY_BULK_CREATE:
		case WF_QUERY_BULK_UPDATE:
		case WF_QUERY_BULK_DELETE:
			if (ran->returns)
				put_rows(w, sink, true);
			break;
		default:
			put_rows(w, sink, !is_write || ran->returns);
			break;
	}
	wf_json_put_field_int64(w, "count", sink->processed);
}

void
wf_query_result_set(WfQueryKind kind, WfRowSink *sink, const WfRan *ran, bool inserted, bool note_rows,
					WfQueryResult *result)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	put_output(w, kind, sink, ran, inserted);
	wf_json_end_object(w);
	result->output = wf_json_finish(w);
	result->count = sink->processed;
	result->found = sink->n_rows > 0;
	if (!note_rows || ran->operation == NULL)
		return;
	result->table = ran->table;
	result->operation = strcmp(ran->operation, "upsert") != 0 ? ran->operation : inserted ? "insert" : "update";
	result->has_rows = true;
	wf_query_sink_rows(sink, &result->rows);
}
