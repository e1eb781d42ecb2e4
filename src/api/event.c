/*
 * event.c: wf_signal, wf_emit.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "base/settings.h"
#include "commands/async.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/runtime.h"
#include "utils/builtins.h"

#define NAME_BYTES 255
#define CORRELATION_BYTES 1000

/* A name of an event, a correlation, or an id that a caller gives; throws 22023. */
static char *
checked(char *text, const char *name, int most)
{
	if (text != NULL && (text[0] == '\0' || strlen(text) > most))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"%s\" must have 1 to %d bytes", name, most)));
	return text;
}

/* {"event", "payload"} */
static Jsonb *
signal_message(const char *event, const Jsonb *payload)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "event", event);
	wf_json_key(w, "payload", 7);
	wf_json_put_jsonb(w, payload);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_signal);

/* False when the run has ended, or is not of the tenant. */
Datum
wf_sql_signal(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *run_id = wf_api_uuid(fcinfo, 0, "run_id");
	char	   *event = checked(wf_api_text(fcinfo, 1, "event"), "event", NAME_BYTES);
	Jsonb	   *payload = wf_api_jsonb_or_empty(fcinfo, 2);
	WfMessage	message;
	WfTenant	tenant;
	WfRunKey	key;
	bool		alive;

	PreventCommandIfReadOnly("wf_signal()");
	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_EXECUTE, &tenant);
	alive = wf_store_allows_run(&tenant, WF_WORKFLOW_EXECUTE, run_id) && wf_store_is_alive(&tenant.tenant_id, run_id, &key);
	if (alive)
	{
		message = wf_store_message(&tenant.tenant_id, &key, WF_MESSAGE_SIGNAL);
		message.payload = signal_message(event, payload);
		wf_store_send(&message, 1);
	}
	SPI_finish();
	PG_RETURN_BOOL(alive);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_emit);

/* How many runs were woken and started; 0 for an event whose unique_id has come before. */
Datum
wf_sql_emit(PG_FUNCTION_ARGS)
{
	WfEvent		event = {0};
	WfTenant	tenant;
	int			n;

	event.event = checked(wf_api_text(fcinfo, 0, "event"), "event", NAME_BYTES);
	event.payload = wf_api_jsonb_or_empty(fcinfo, 1);
	event.correlation = checked(wf_api_text_or_null(fcinfo, 2), "correlation", CORRELATION_BYTES);
	event.unique_id = checked(wf_api_text_or_null(fcinfo, 3), "unique_id", NAME_BYTES);
	PreventCommandIfReadOnly("wf_emit()");
	wf_store_catch_up();
	SPI_connect();
	wf_store_require(WF_WORKFLOW_EXECUTE, &tenant);
	n = wf_store_emit(&tenant.tenant_id, &event);
	if (n >= 0)
	{
		n += wf_engine_emit(&tenant, &event);
		if (wf_setting_notify_channel[0] != '\0')
			Async_Notify(wf_setting_notify_channel, NULL);
	}
	SPI_finish();
	PG_RETURN_INT32(Max(n, 0));
}
