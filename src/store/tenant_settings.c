/*
 * tenant_settings.c: settings of tenants, which those below inherit.
 */
#include "postgres.h"

#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"

bool
wf_store_tenant_setting(const pg_uuid_t *tenant_id, const char *key, JsonbValue *value)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(key)};
	bool		found = wf_store_execute(WF_SQL_TENANT_SETTING, values, NULL) > 0;

	if (found)
		wf_json_root(wf_store_jsonb(0, 1), value);
	SPI_freetuptable(SPI_tuptable);
	return found;
}
