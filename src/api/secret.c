/*
 * secret.c: wf_set_secret, wf_drop_secret.
 *
 * The value comes in a statement, and statements are shown and logged in many places. What can be done about it here is
 * done first of all: from then on pg_stat_activity, and the STATEMENT lines of the log, have another text. What cannot: a
 * server with log_statement = 'all' has written the statement before it began. docs/secrets.md says how to call the function.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/wake.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "store/audit.h"
#include "store/secret.h"
#include "store/store.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"

void
wf_api_hide_statement(const char *hidden)
{
	debug_query_string = hidden;
	pgstat_report_activity(STATE_RUNNING, hidden);
}

void
wf_api_check_secret_name(const char *name, const char *kind)
{
	if (wf_secret_name_is_valid(name, strlen(name)))
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("name of a %s must have 1 to %d letters, digits and underscores, and not begin with a digit",
						   kind, WF_SECRET_NAME_BYTES),
					strcmp(kind, "secret") == 0 ? errhint("It is read as \"$secrets.NAME\".") : 0));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_set_secret);

Datum
wf_sql_set_secret(PG_FUNCTION_ARGS)
{
	char	   *name;
	text	   *value;
	WfTenant	tenant;

	wf_api_hide_statement("SELECT wf_set_secret(...)");
	name = wf_api_text(fcinfo, 0, "name");
	wf_api_not_null(fcinfo, 1, "value");
	value = PG_GETARG_TEXT_PP(1);
	SPI_connect();
	wf_store_require(WF_CREDENTIAL_CREATE, &tenant);
	wf_api_check_secret_name(name, "secret");
	if (VARSIZE_ANY_EXHDR(value) > WF_SECRET_VALUE_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("value of a secret must have at most %d bytes", WF_SECRET_VALUE_BYTES)));
	wf_store_set_secret(&tenant.tenant_id, name, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	wf_store_audit_name(&tenant.tenant_id, "secret.set", "secret", name);
	wf_wake_dispatcher_at_commit(WF_DISPATCH_SECRETS);
	SPI_finish();
	if (value != (text *) PG_GETARG_POINTER(1))
		explicit_bzero(value, VARSIZE_ANY(value));	/* a copy that detoasting made */
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_drop_secret);

Datum
wf_sql_drop_secret(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	WfTenant	tenant;

	SPI_connect();
	wf_store_require(WF_CREDENTIAL_CREATE, &tenant);
	if (!wf_store_drop_secret(&tenant.tenant_id, name))
		wf_error_raise(wf_store_no_secret(&tenant.tenant_id, name));
	wf_store_audit_name(&tenant.tenant_id, "secret.drop", "secret", name);
	wf_wake_dispatcher_at_commit(WF_DISPATCH_SECRETS);
	SPI_finish();
	PG_RETURN_VOID();
}
