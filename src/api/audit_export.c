/*
 * audit_export.c: wf_export_audit: the trail as lines of text.
 *
 * jsonl: {"entry": <canonical text>, "hash": "...", "keyId": n, "mac": "..."}; the hash is SHA-256 of the bytes between "entry": and
 * , "hash": as they stand there, so it can be checked by anybody.
 *
 * csv: RFC 4180, with a header, for people and spreadsheets. A spreadsheet takes a field that begins with = + - @, a tab or a carriage
 * return for a formula: such a field has an apostrophe in front, which is not part of the value.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/text.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define CSV_HEADER "seq,at,actor,session_role,client_address,application_name,action,object_type,object_id,object_name,before,after," \
	"digest,prev,hash,key_id,mac"

/* -- jsonl -- */

static void
put_json_line(StringInfo out, const WfAuditRow *row)
{
	appendStringInfoString(out, "{\"entry\": ");
	wf_audit_canonical(row, out);
	appendStringInfoString(out, ", \"hash\": \"");
	appendStringInfoString(out, wf_text_hex(row->hash, sizeof(row->hash)));
	appendStringInfo(out, "\", \"keyId\": %d, \"mac\": ", row->key_id);
	if (row->has_mac)
	{
		appendStringInfoChar(out, '"');
		appendStringInfoString(out, wf_text_hex(row->mac, sizeof(row->mac)));
		appendStringInfoString(out, "\"}");
	}
	else
		appendStringInfoString(out, "null}");
}

/* -- csv -- */

/* A field that is not the first of its line; NULL is an empty one. */
static void
put_field(StringInfo out, const char *value)
{
	appendStringInfoChar(out, ',');
	if (value == NULL)
		return;
	appendStringInfoChar(out, '"');
	if (value[0] != '\0' && strchr("=+-@\t\r", value[0]) != NULL)
		appendStringInfoChar(out, '\'');
	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *c);
	}
	appendStringInfoChar(out, '"');
}

static void
put_hash_field(StringInfo out, const uint8 *hash, bool is_there)
{
	appendStringInfoChar(out, ',');
	if (is_there)
		appendStringInfoString(out, wf_text_hex(hash, WF_CRYPT_HASH_BYTES));
}

static void
put_json_field(StringInfo out, const Jsonb *json)
{
	put_field(out, json == NULL ? NULL : JsonbToCString(NULL, unconstify(JsonbContainer *, &json->root), VARSIZE(json)));
}

static void
put_csv_line(StringInfo out, const WfAuditRow *row)
{
	appendStringInfo(out, INT64_FORMAT, row->seq);
	put_field(out, wf_api_time_text(row->at));
	put_field(out, row->actor);
	put_field(out, row->session_role);
	put_field(out, row->client_address);
	put_field(out, row->application_name);
	put_field(out, row->action);
	put_field(out, row->object_type);
	put_field(out, row->has_object_id ? DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&row->object_id))) : NULL);
	put_field(out, row->object_name);
	put_json_field(out, row->before);
	put_json_field(out, row->after);
	put_hash_field(out, row->digest, row->has_digest);
	put_hash_field(out, row->prev, true);
	put_hash_field(out, row->hash, true);
	appendStringInfo(out, ",%d", row->key_id);
	put_hash_field(out, row->mac, row->has_mac);
}

/* -- lines -- */

static void
put_line(ReturnSetInfo *result, const char *text, int len)
{
	Datum		value = PointerGetDatum(cstring_to_text_with_len(text, len));
	bool		is_null = false;

	tuplestore_putvalues(result->setResult, result->setDesc, &value, &is_null);
}

static void
export_rows(ReturnSetInfo *result, const pg_uuid_t *tenant_id, bool as_csv, int64 from_seq, int64 to_seq)
{
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext, "workflow audit entry", ALLOCSET_DEFAULT_SIZES);
	WfAuditScan *scan = wf_audit_scan_begin(tenant_id, from_seq, GetActiveSnapshot());
	StringInfoData line;
	WfAuditRow	row;

	initStringInfo(&line);
	for (;;)
	{
		MemoryContext old = MemoryContextSwitchTo(rows);
		bool		found;

		CHECK_FOR_INTERRUPTS();
		found = wf_audit_scan_next(scan, &row) && row.seq <= to_seq;
		if (found)
		{
			resetStringInfo(&line);
			if (as_csv)
				put_csv_line(&line, &row);
			else
				put_json_line(&line, &row);
			put_line(result, line.data, line.len);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(rows);
		if (!found)
			break;
	}
	wf_audit_scan_end(scan);
	MemoryContextDelete(rows);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_export_audit);

Datum
wf_sql_export_audit(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *format = wf_api_text(fcinfo, 0, "format");
	bool		as_csv = strcmp(format, "csv") == 0;
	WfTenant	tenant;

	wf_api_not_null(fcinfo, 1, "from_seq");
	wf_store_catch_up();
	wf_store_require(WF_AUDIT_READ, &tenant);
	if (!as_csv && strcmp(format, "jsonl") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown format \"%s\"", wf_text_clip(format)),
						errhint("It is one of jsonl, csv.")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (as_csv)
		put_line(result, CSV_HEADER, strlen(CSV_HEADER));
	export_rows(result, &tenant.tenant_id, as_csv, PG_GETARG_INT64(1), PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2));
	return (Datum) 0;
}
