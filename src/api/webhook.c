/*
 * webhook.c: wf_webhook.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "api/api.h"
#include "base/settings.h"
#include "engine/engine.h"
#include "utils/builtins.h"

/* Has the argument more bytes than the setting allows? Without unpacking it. */
static bool
is_too_large(FunctionCallInfo fcinfo, int i)
{
	return !PG_ARGISNULL(i) && toast_raw_datum_size(PG_GETARG_DATUM(i)) - VARHDRSZ > (Size) wf_setting_webhook_max_size * 1024;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_webhook);

/* Null stands for what is not there: it is a request like any other. */
Datum
wf_sql_webhook(PG_FUNCTION_ARGS)
{
	WfWebhook	request = {.body = ""};

	if (!PG_ARGISNULL(0))
		request.path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!PG_ARGISNULL(1))
		request.method = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		request.headers = PG_GETARG_JSONB_P(2);
	request.is_too_large = is_too_large(fcinfo, 3) || is_too_large(fcinfo, 4);
	if (!request.is_too_large && !PG_ARGISNULL(3))
	{
		bytea	   *body = PG_GETARG_BYTEA_PP(3);

		request.body = VARDATA_ANY(body);
		request.body_bytes = VARSIZE_ANY_EXHDR(body);
	}
	if (!request.is_too_large && !PG_ARGISNULL(4))
		request.query = PG_GETARG_JSONB_P(4);
	PG_RETURN_JSONB_P(wf_engine_webhook(&request));
}
