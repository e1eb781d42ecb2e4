/*
 * tenant_settings.c: settings of tenants, and what they are when a tenant has none of its own.
 *
 * 1. A setting has a name and a check in the table below; there are no others. A part of the extension that wants one adds a
 *    line, and reads it with wf_store_tenant_setting.
 * 2. What holds is the tenant's own, else that of the nearest tenant above that has it. Of the limits of code it is the lowest of the
 *    tenant's and those above, so that nobody raises what was set from above.
 * 3. What was found is kept per backend until wf.tenant changes: a run may ask for each.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/pii.h"
#include "base/text.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/memutils.h"

#define MOST_KEPT 256			/* tenants; a place each, by a hash */
#define CONTACT_BYTES 200
#define CODE_MEMORY_BYTES (INT64CONST(4) * 1024 * 1024)	/* as workflow.code_memory, at least */

/* What is wrong with a value, as the end of "setting ... must be"; NULL: nothing. */
typedef const char *(*Check) (const JsonbValue *value);

static const char *
check_contact(const JsonbValue *value)
{
	const char *text = wf_json_cstring(value);

	if (text == NULL || text[0] == '\0' || strlen(text) > CONTACT_BYTES)
		return psprintf("a string of 1 to %d bytes", CONTACT_BYTES);
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return "a string without control characters";
	return NULL;
}

static const char *
check_bool(const JsonbValue *value)
{
	return value->type == jbvBool ? NULL : "true or false";
}

static const char *
check_duration(const JsonbValue *value)
{
	const char *text = wf_json_cstring(value);
	int64		ms;

	return text != NULL && wf_text_duration_ms(text, &ms) ? NULL : "a duration like \"7 years\"";
}

/* A string, or a number as text; NULL: it is neither. */
static char *
text_of(const JsonbValue *value)
{
	return value->type == jbvString ? wf_json_cstring(value) : value->type == jbvNumeric ? wf_json_text(value) : NULL;
}

static bool
read_log_lines(const JsonbValue *value, int64 *out)
{
	return wf_json_int64(value, out) && *out >= 0;
}

static bool
read_memory(const JsonbValue *value, int64 *out)
{
	const char *text = text_of(value);

	return text != NULL && wf_text_size_bytes(text, out) && *out >= CODE_MEMORY_BYTES;
}

static bool
read_time(const JsonbValue *value, int64 *out)
{
	const char *text = text_of(value);

	return text != NULL && wf_text_duration_ms(text, out) && *out > 0;
}

static const char *
check_log_lines(const JsonbValue *value)
{
	int64		ignored;

	return read_log_lines(value, &ignored) ? NULL : "a whole number, zero or more";
}

static const char *
check_memory(const JsonbValue *value)
{
	int64		ignored;

	return read_memory(value, &ignored) ? NULL : "a size like \"64MB\", 4MB or more";
}

static const char *
check_time(const JsonbValue *value)
{
	int64		ignored;

	return read_time(value, &ignored) ? NULL : "a duration like \"500 ms\"";
}

static const char *
check_paths(const JsonbValue *value)
{
	return wf_pii_paths_read_all(wf_pii_paths_make(), value) == NULL ? NULL :
		"a list of paths like \"customer.email\" or \"**.iban\"";
}

/* In the order of names. */
static const struct
{
	const char *name;
	Check		check;
}			settings[] = {
	{"approval", check_bool},	/* of a version, before it is activated (approval.c) */
	{"auditRetention", check_duration},	/* audit_expire.c */
	{"codeLogLines", check_log_lines},	/* of one call of code, as the next two */
	{"codeMemory", check_memory},
	{"codeTime", check_time},
	{"contact", check_contact}, /* whom to ask when something is refused */
	{"piiPaths", check_paths},	/* what is personal in all runs */
};

int
wf_store_tenant_setting_names(const char *const **names)
{
	static const char *list[lengthof(settings)];

	for (int i = 0; i < lengthof(settings); i++)
		list[i] = settings[i].name;
	*names = list;
	return lengthof(settings);
}

const char *
wf_store_check_tenant_setting(const char *name, const JsonbValue *value)
{
	for (int i = 0; i < lengthof(settings); i++)
		if (strcmp(settings[i].name, name) == 0)
			return settings[i].check(value);
	return "one that is known";
}

/* -- what holds -- */

typedef struct Kept
{
	MemoryContext memory;		/* NULL: the place is free */
	uint64		generation;
	pg_uuid_t	tenant_id;
	Jsonb	   *settings;			/* with those above */
	WfTenantCode code;
} Kept;

static Kept kept[MOST_KEPT];

static void
lower(int64 *limit, const JsonbValue *settings, const char *key, bool (*read) (const JsonbValue *value, int64 *out))
{
	JsonbValue	value;
	int64		most;

	if (wf_json_field(settings, key, &value) && read(&value, &most) && (*limit < 0 || most < *limit))
		*limit = most;
}

/* Of the tenant and all above it. */
static WfTenantCode
read_code(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	WfTenantCode code = {-1, -1, -1};
	uint64		n = wf_store_execute_latest(WF_SQL_TENANT_CODE, values, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		JsonbValue	root;

		wf_json_root(wf_store_jsonb(i, 1), &root);
		lower(&code.log_lines, &root, "codeLogLines", read_log_lines);
		lower(&code.memory_bytes, &root, "codeMemory", read_memory);
		lower(&code.time_ms, &root, "codeTime", read_time);
	}
	SPI_freetuptable(SPI_tuptable);
	return code;
}

static void
read_effective(Kept *place, const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	uint64		generation = wf_store_generation();
	uint64		of_tenants = wf_store_tenants_generation();
	MemoryContext old;
	SPITupleTable *rows;
	uint64		n;

	place->generation = 0;
	if (place->memory == NULL)
		place->memory = AllocSetContextCreate(TopMemoryContext, "workflow tenant", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(place->memory);
	place->settings = NULL;
	place->tenant_id = *tenant_id;
	SPI_connect();
	n = wf_store_execute_latest(WF_SQL_TENANT_EFFECTIVE, values, NULL);
	rows = SPI_tuptable;
	old = MemoryContextSwitchTo(place->memory);
	place->settings = n == 0 ? wf_json_empty_object() : wf_store_jsonb(0, 1);
	MemoryContextSwitchTo(old);
	SPI_freetuptable(rows);
	place->code = read_code(tenant_id);
	SPI_finish();
	if (wf_store_may_cache_here(generation))
		place->generation = of_tenants;
}

static const Kept *
effective(const pg_uuid_t *tenant_id)
{
	Kept	   *place = &kept[hash_bytes(tenant_id->data, UUID_LEN) % MOST_KEPT];

	if (place->generation == 0 || place->generation != wf_store_tenants_generation() ||
		memcmp(&place->tenant_id, tenant_id, sizeof(pg_uuid_t)) != 0)
		read_effective(place, tenant_id);
	return place;
}

bool
wf_store_tenant_setting(const pg_uuid_t *tenant_id, const char *key, JsonbValue *value)
{
	JsonbValue	root;
	Jsonb	   *own;

	wf_json_root(effective(tenant_id)->settings, &root);
	own = wf_json_get_jsonb(&root, key);	/* a copy: what is kept may go at the next question */
	if (own == NULL)
		return false;
	wf_json_root(own, value);
	return true;
}

void
wf_store_tenant_code(const pg_uuid_t *tenant_id, WfTenantCode *code)
{
	*code = effective(tenant_id)->code;
}
