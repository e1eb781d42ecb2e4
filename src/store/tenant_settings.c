/*
 * tenant_settings.c: settings of tenants, and what they are when a tenant has none of its own.
 *
 * 1. A setting has a name and a check in the table below; there are no others. A part of the extension that wants one adds a
 *    line, and reads it with wf_store_tenant_setting.
 * 2. What holds is the tenant's own, else that of the nearest tenant above that has it.
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
} Kept;

static Kept kept[MOST_KEPT];

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
