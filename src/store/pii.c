/*
 * pii.c: personal data of runs, kept apart from them.
 *
 * 1. What is written of a run has tokens for personal data; what these stand for is a row of wf.pii for each segment, and
 *    the views put it back (wf.shown) for those who have the permission pii:read. A document without tokens costs them one
 *    look at its bytes.
 * 2. A run goes on with what is real, which is in columns that members cannot select: `sealed`, `state`, `signals`.
 */
#include "postgres.h"

#include "base/pii.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/pii.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Options of a start that may have anything in them. */
static const char *const private_options[] = {"env", "mocks", "branch", NULL};

void
wf_store_put_pii(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int segment, Jsonb *values)
{
	Datum		args[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id), Int32GetDatum(segment), JsonbPGetDatum(values)};

	wf_store_execute(WF_SQL_PUT_PII, args, NULL);
}

List *
wf_store_pii_of_run(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	Datum		args[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};
	uint64		n = wf_store_execute(WF_SQL_PII_OF_RUN, args, NULL);
	List	   *all = NIL;

	for (uint64 i = 0; i < n; i++)
		all = lappend(all, wf_store_jsonb(i, 1));
	SPI_freetuptable(SPI_tuptable);
	return all;
}

/* -- sealing -- */

Jsonb *
wf_store_seal(const Jsonb *input, const Jsonb *options, const Jsonb *known)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_member(w, "input", input);
	wf_json_put_member(w, "known", known);
	wf_json_put_member(w, "options", options);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

void
wf_store_unseal(const Jsonb *sealed, Jsonb **input, Jsonb **options, Jsonb **known)
{
	JsonbValue	root;

	wf_json_root(sealed, &root);
	*input = wf_json_get_jsonb(&root, "input");
	*options = wf_json_get_jsonb(&root, "options");
	*known = wf_json_get_jsonb(&root, "known");
}

Jsonb *
wf_store_mask(void)
{
	JsonbValue	mask;

	wf_json_set_string(&mask, WF_PII_MASK, strlen(WF_PII_MASK));
	return wf_json_copy(&mask);
}

Jsonb *
wf_store_shown_options(const Jsonb *options)
{
	WfJsonWriter *w;
	JsonbValue	root;

	if (options == NULL)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_root(options, &root);
	wf_json_begin_object(w);
	wf_json_put_members(w, &root, private_options);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- showing -- */

/* What was looked up last, for one that shows many documents of a run. */
typedef struct Shown
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	run_id;
	int			segment;		/* 0: nothing yet */
	Jsonb	   *values;			/* or NULL */
	MemoryContext memory;		/* of values; NULL: whatever is current */
} Shown;

static const Jsonb *
look_up(int segment, void *arg)
{
	Shown	   *shown = arg;
	Datum		args[3] = {UUIDPGetDatum(&shown->tenant_id), UUIDPGetDatum(&shown->run_id), Int32GetDatum(segment)};
	MemoryContext memory = shown->memory != NULL ? shown->memory : CurrentMemoryContext;
	MemoryContext old;

	if (segment == shown->segment && segment > 0)
		return shown->values;
	if (shown->memory != NULL && shown->values != NULL)
		pfree(shown->values);
	shown->values = NULL;
	shown->segment = 0;
	SPI_connect();
	if (wf_store_execute(WF_SQL_PII_OF_SEGMENT, args, NULL) > 0)
	{
		old = MemoryContextSwitchTo(memory);
		shown->values = wf_store_jsonb(0, 1);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	shown->segment = segment;
	return shown->values;
}

static bool
has_token(const struct varlena *datum)
{
	return wf_pii_has_token(VARDATA_ANY(datum), VARSIZE_ANY_EXHDR(datum));
}

Jsonb *
wf_store_shown(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, bool may_see, Jsonb *json)
{
	Shown		shown = {.tenant_id = *tenant_id, .run_id = *run_id};
	JsonbValue	root;

	if (json == NULL || !has_token((struct varlena *) json))
		return json;
	wf_json_root(json, &root);
	return wf_pii_show(&root, may_see ? look_up : NULL, &shown);
}

void
wf_store_show_state(const WfTenant *tenant, const pg_uuid_t *run_id, WfRunState *state)
{
	bool		may_see = (tenant->permissions & WF_PII_READ) != 0 || state->started_by == GetUserId();

	state->output = wf_store_shown(&tenant->tenant_id, run_id, may_see, state->output);
	state->error = wf_store_shown(&tenant->tenant_id, run_id, may_see, state->error);
}

/* Whether the current user may see personal data of the tenant, which is the current one. */
static bool
may_see(const pg_uuid_t *tenant_id)
{
	WfTenant	tenant;

	return wf_store_current_tenant(&tenant, NULL) && (tenant.permissions & WF_PII_READ) != 0 &&
		memcmp(&tenant.tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0;
}

/* Arguments 1 and 2 are the tenant and the run; the look-up to use (NULL: masks), and what it is given. */
static WfPiiLookUp
begin_showing(FunctionCallInfo fcinfo, Shown **out)
{
	const pg_uuid_t *tenant_id = PG_GETARG_UUID_P(1);
	const pg_uuid_t *run_id = PG_GETARG_UUID_P(2);
	Shown	   *shown = fcinfo->flinfo->fn_extra;

	if (!may_see(tenant_id))
		return NULL;
	if (shown == NULL)
	{
		shown = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Shown));
		shown->memory = fcinfo->flinfo->fn_mcxt;
		fcinfo->flinfo->fn_extra = shown;
	}
	if (memcmp(&shown->tenant_id, tenant_id, sizeof(pg_uuid_t)) != 0 ||
		memcmp(&shown->run_id, run_id, sizeof(pg_uuid_t)) != 0)
	{
		shown->segment = 0;
		shown->tenant_id = *tenant_id;
		shown->run_id = *run_id;
	}
	*out = shown;
	return look_up;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_shown);

Datum
wf_sql_shown(PG_FUNCTION_ARGS)
{
	struct varlena *datum = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
	Shown	   *shown = NULL;
	WfPiiLookUp with;
	JsonbValue	root;

	/* as most are, and without a copy */
	if (!has_token(datum))
		PG_RETURN_POINTER(datum);
	with = begin_showing(fcinfo, &shown);
	wf_json_root(DatumGetJsonbP(PointerGetDatum(datum)), &root);
	PG_RETURN_JSONB_P(wf_pii_show(&root, with, shown));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_shown_text);

Datum
wf_sql_shown_text(PG_FUNCTION_ARGS)
{
	text	   *line = PG_GETARG_TEXT_PP(0);
	Shown	   *shown = NULL;
	WfPiiLookUp with;

	if (!has_token((struct varlena *) line))
		PG_RETURN_TEXT_P(line);
	with = begin_showing(fcinfo, &shown);
	PG_RETURN_TEXT_P(cstring_to_text(wf_pii_show_text(VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line), with, shown)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_shown_texts);

Datum
wf_sql_shown_texts(PG_FUNCTION_ARGS)
{
	ArrayType  *lines = PG_GETARG_ARRAYTYPE_P(0);
	Shown	   *shown = NULL;
	WfPiiLookUp with;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	if (!has_token((struct varlena *) lines))
		PG_RETURN_ARRAYTYPE_P(lines);
	with = begin_showing(fcinfo, &shown);
	deconstruct_array(lines, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		text	   *line = nulls[i] ? NULL : DatumGetTextPP(values[i]);

		values[i] = line == NULL ? CStringGetTextDatum("") :
			CStringGetTextDatum(wf_pii_show_text(VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line), with, shown));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}
