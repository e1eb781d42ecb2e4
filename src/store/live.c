/*
 * live.c: runs between two segments (wf.live), and what wf_retry needs of failed ones (wf.failed).
 */
#include "postgres.h"

#include "store/direct.h"
#include "store/pii.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Columns of wf.live, in the table's order. */
enum
{
	LIVE_TENANT_ID,
	LIVE_RUN_ID,
	LIVE_WORKFLOW_ID,
	LIVE_VERSION,
	LIVE_ROLE,
	LIVE_PRIORITY,
	LIVE_STATUS,
	LIVE_ATTEMPT,
	LIVE_QUEUED_AT,
	LIVE_STARTED_AT,
	LIVE_DEADLINE,
	LIVE_N_SEGMENTS,
	LIVE_N_STEPS,
	LIVE_PARENT_RUN_ID,
	LIVE_INPUT,
	LIVE_OPTIONS,
	LIVE_CURRENT_NODES,
	LIVE_PROGRESS,
	LIVE_SIGNALS,
	LIVE_STATE,
	LIVE_SEALED,
	LIVE_COLUMNS
};

/* Row 0 of SPI_tuptable, which is freed. */
static WfLiveRow *
read_live(void)
{
	WfLiveRow  *row = palloc0(sizeof(WfLiveRow));
	Jsonb	   *sealed;
	bool		is_null;

	wf_store_uuid(0, 1 + LIVE_TENANT_ID, &row->tenant_id);
	wf_store_uuid(0, 1 + LIVE_RUN_ID, &row->run_id);
	wf_store_uuid(0, 1 + LIVE_WORKFLOW_ID, &row->workflow_id);
	row->version = wf_store_int(0, 1 + LIVE_VERSION);
	row->role = wf_store_oid(0, 1 + LIVE_ROLE);
	row->priority = wf_store_int(0, 1 + LIVE_PRIORITY);
	row->status = wf_store_text(0, 1 + LIVE_STATUS);
	row->attempt = wf_store_int(0, 1 + LIVE_ATTEMPT);
	row->queued_at = wf_store_time(0, 1 + LIVE_QUEUED_AT);
	row->started_at = wf_store_time(0, 1 + LIVE_STARTED_AT);
	row->deadline = wf_store_time(0, 1 + LIVE_DEADLINE);
	row->n_segments = wf_store_int(0, 1 + LIVE_N_SEGMENTS);
	row->n_steps = wf_store_int(0, 1 + LIVE_N_STEPS);
	(void) SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1 + LIVE_PARENT_RUN_ID, &is_null);
	row->has_parent = !is_null;
	wf_store_uuid(0, 1 + LIVE_PARENT_RUN_ID, &row->parent_run_id);
	row->input = wf_store_jsonb(0, 1 + LIVE_INPUT);
	row->options = wf_store_jsonb(0, 1 + LIVE_OPTIONS);
	row->current_nodes = wf_store_array(0, 1 + LIVE_CURRENT_NODES);
	row->progress = wf_store_jsonb(0, 1 + LIVE_PROGRESS);
	row->signals = wf_store_jsonb(0, 1 + LIVE_SIGNALS);
	row->state = wf_store_jsonb(0, 1 + LIVE_STATE);
	sealed = wf_store_jsonb(0, 1 + LIVE_SEALED);
	if (sealed != NULL)
	{
		row->is_personal = true;
		row->shown_input = row->input;
		row->shown_options = row->options;
		wf_store_unseal(sealed, &row->input, &row->options, &row->known);
	}
	return row;
}

WfLiveRow *
wf_store_find_live(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, WfLockMode lock)
{
	static const WfStatementId statements[] = {
		[WF_LOCK_NONE] = WF_SQL_FIND_LIVE, [WF_LOCK_SKIP] = WF_SQL_TRY_LOCK_LIVE, [WF_LOCK_WAIT] = WF_SQL_LOCK_LIVE
	};
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};
	WfLiveRow  *row = NULL;

	if (wf_store_execute(statements[lock], values, NULL) > 0)
		row = read_live();
	SPI_freetuptable(SPI_tuptable);
	return row;
}

/* The columns of wf.live; what they point at is the row's. */
static void
fill_live(const WfLiveRow *row, Datum *values, bool *nulls)
{
	memset(nulls, 0, sizeof(bool) * LIVE_COLUMNS);
	values[LIVE_TENANT_ID] = UUIDPGetDatum(&row->tenant_id);
	values[LIVE_RUN_ID] = UUIDPGetDatum(&row->run_id);
	values[LIVE_WORKFLOW_ID] = UUIDPGetDatum(&row->workflow_id);
	values[LIVE_VERSION] = Int32GetDatum(row->version);
	values[LIVE_ROLE] = ObjectIdGetDatum(row->role);
	values[LIVE_PRIORITY] = Int16GetDatum(row->priority);
	values[LIVE_STATUS] = wf_store_text_value(row->status, &nulls[LIVE_STATUS]);
	values[LIVE_ATTEMPT] = Int32GetDatum(row->attempt);
	values[LIVE_QUEUED_AT] = TimestampTzGetDatum(row->queued_at);
	values[LIVE_STARTED_AT] = wf_store_time_value(row->started_at, &nulls[LIVE_STARTED_AT]);
	values[LIVE_DEADLINE] = wf_store_time_value(row->deadline, &nulls[LIVE_DEADLINE]);
	values[LIVE_N_SEGMENTS] = Int32GetDatum(row->n_segments);
	values[LIVE_N_STEPS] = Int32GetDatum(row->n_steps);
	values[LIVE_PARENT_RUN_ID] = UUIDPGetDatum(&row->parent_run_id);
	nulls[LIVE_PARENT_RUN_ID] = !row->has_parent;
	values[LIVE_INPUT] = wf_store_jsonb_value(row->input, &nulls[LIVE_INPUT]);
	values[LIVE_OPTIONS] = wf_store_jsonb_value(row->options, &nulls[LIVE_OPTIONS]);
	values[LIVE_CURRENT_NODES] = wf_store_array_value(row->current_nodes, &nulls[LIVE_CURRENT_NODES]);
	values[LIVE_PROGRESS] = wf_store_jsonb_value(row->progress, &nulls[LIVE_PROGRESS]);
	values[LIVE_SIGNALS] = wf_store_jsonb_value(row->signals, &nulls[LIVE_SIGNALS]);
	values[LIVE_STATE] = wf_store_jsonb_value(row->state, &nulls[LIVE_STATE]);
	values[LIVE_SEALED] = (Datum) 0;
	nulls[LIVE_SEALED] = true;
	if (row->is_personal)
	{
		values[LIVE_SEALED] = JsonbPGetDatum(wf_store_seal(row->input, row->options, row->known));
		nulls[LIVE_SEALED] = false;
		values[LIVE_INPUT] = JsonbPGetDatum(row->shown_input != NULL ? row->shown_input : wf_store_mask());
		nulls[LIVE_INPUT] = false;
		values[LIVE_OPTIONS] = wf_store_jsonb_value(row->shown_options != NULL ? row->shown_options :
													wf_store_shown_options(row->options), &nulls[LIVE_OPTIONS]);
	}
}

void
wf_store_insert_live(const WfLiveRow *row)
{
	Datum		values[LIVE_COLUMNS];
	bool		nulls[LIVE_COLUMNS];

	fill_live(row, values, nulls);
	wf_store_insert_one(wf_store_table("live"), values, nulls);
}

void
wf_store_update_live(const WfLiveRow *row)
{
	enum
	{
		N = 17
	};
	Datum		values[N];
	bool		is_null[N] = {0};
	char		nulls[N];

	values[0] = UUIDPGetDatum(&row->tenant_id);
	values[1] = UUIDPGetDatum(&row->run_id);
	values[2] = Int32GetDatum(row->version);
	values[3] = ObjectIdGetDatum(row->role);
	values[4] = Int32GetDatum(row->priority);
	values[5] = CStringGetTextDatum(row->status);
	values[6] = Int32GetDatum(row->attempt);
	values[7] = TimestampTzGetDatum(row->queued_at);
	values[8] = wf_store_time_value(row->started_at, &is_null[8]);
	values[9] = wf_store_time_value(row->deadline, &is_null[9]);
	values[10] = Int32GetDatum(row->n_segments);
	values[11] = Int32GetDatum(row->n_steps);
	values[12] = UUIDPGetDatum(&row->parent_run_id);
	is_null[12] = !row->has_parent;
	values[13] = wf_store_array_value(row->current_nodes, &is_null[13]);
	values[14] = wf_store_jsonb_value(row->progress, &is_null[14]);
	values[15] = wf_store_jsonb_value(row->signals, &is_null[15]);
	values[16] = wf_store_jsonb_value(row->state, &is_null[16]);
	for (int i = 0; i < N; i++)
		nulls[i] = is_null[i] ? 'n' : ' ';
	wf_store_execute(WF_SQL_UPDATE_LIVE, values, nulls);
}

void
wf_store_show_live(const WfLiveRow *row)
{
	Datum		values[3] = {UUIDPGetDatum(&row->tenant_id), UUIDPGetDatum(&row->run_id), JsonbPGetDatum(row->shown_input)};

	wf_store_execute(WF_SQL_SHOW_LIVE, values, NULL);
}

void
wf_store_delete_live(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};

	wf_store_execute(WF_SQL_DELETE_LIVE, values, NULL);
}

bool
wf_store_is_alive(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, WfRunKey *key)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};
	bool		found = wf_store_execute_latest(WF_SQL_IS_ALIVE, values, NULL) > 0;

	if (found)
	{
		key->run_id = *run_id;
		key->role = wf_store_oid(0, 1);
		key->priority = wf_store_int(0, 2);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* -- failed runs -- */

/* Columns of wf.failed, in the table's order, by those of wf.live that they are. The time of the failure follows. */
static const int failed_columns[] = {
	LIVE_TENANT_ID, LIVE_RUN_ID, LIVE_WORKFLOW_ID, LIVE_VERSION, LIVE_ROLE, LIVE_PRIORITY, LIVE_ATTEMPT, LIVE_N_SEGMENTS,
	LIVE_N_STEPS, LIVE_PARENT_RUN_ID, LIVE_QUEUED_AT, LIVE_STARTED_AT, LIVE_INPUT, LIVE_OPTIONS, LIVE_SIGNALS, LIVE_STATE,
	LIVE_SEALED
};

void
wf_store_insert_failed(const WfLiveRow *row, TimestampTz failed_at)
{
	Datum		live_values[LIVE_COLUMNS];
	bool		live_nulls[LIVE_COLUMNS];
	Datum		values[lengthof(failed_columns) + 1];
	bool		nulls[lengthof(failed_columns) + 1];

	fill_live(row, live_values, live_nulls);
	for (int i = 0; i < lengthof(failed_columns); i++)
	{
		values[i] = live_values[failed_columns[i]];
		nulls[i] = live_nulls[failed_columns[i]];
	}
	values[lengthof(failed_columns)] = TimestampTzGetDatum(failed_at);
	nulls[lengthof(failed_columns)] = false;
	wf_store_insert_one(wf_store_table("failed"), values, nulls);
}

WfLiveRow *
wf_store_take_failed(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};
	WfLiveRow  *row = NULL;

	if (wf_store_execute(WF_SQL_TAKE_FAILED, values, NULL) > 0)
		row = read_live();
	SPI_freetuptable(SPI_tuptable);
	return row;
}

bool
wf_store_mail_failed(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, Jsonb *message, Jsonb *signal, bool *is_alive)
{
	bool		no_signal;
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id), JsonbPGetDatum(message),
	wf_store_jsonb_value(signal, &no_signal)};

	*is_alive = false;
	if (wf_store_execute(WF_SQL_MAIL_FAILED, values, no_signal ? "   n" : NULL) > 0)
		return true;
	values[2] = BoolGetDatum(!no_signal);
	*is_alive = wf_store_execute(WF_SQL_TAKES_MAIL, values, NULL) > 0;
	SPI_freetuptable(SPI_tuptable);
	return false;
}
