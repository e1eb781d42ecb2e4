/*
 * personal.c: personal data of a run, out of what is written of it.
 *
 * 1. What is marked is known when a version is compiled: by `"pii": true` in the schemas of its nodes, and by the paths that its
 *    tenant names. A run of a graph that marks nothing has no part in this but a look at one pointer.
 * 2. A run itself has what is real. What is written for people to read (its record, the journal, tasks, requests) has tokens, and
 *    what they stand for is written once a segment (wf.pii). What is written for the next segment alone stays real, where
 *    members cannot select it (store/pii.c).
 * 3. Values are looked for wherever they turn up: those at the marked places of the input and of each output, those of earlier
 *    segments, and those that the run around a child run knew (`known`).
 * 4. Of a run that could not be compiled nobody knows what is personal: its input is hidden as a whole.
 */
#include "postgres.h"

#include "engine/personal.h"
#include "executor/spi.h"
#include "store/pii.h"
#include "utils/memutils.h"

#define MOST_KNOWN 10000		/* that a child run is told */

/* -- what is marked -- */

void
wf_personal_check(const WfGraph *graph, WfDiagnostics *found)
{
	for (int i = 0; i < graph->n_nodes; i++)
		if (!wf_block_marks(&graph->nodes[i], wf_pii_paths_make()))
			wf_diagnostics_add(found, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, graph->nodes[i].id,
							   psprintf("%s.config", graph->nodes[i].path), "Mark an object as a whole.",
							   "schemas mark more than %d places as personal data", WF_PII_MOST_PATHS);
}

/* Adds those of the tenant's setting. Throws 22023 when they are not to be read: what is personal must not become visible. */
static void
add_tenant_paths(const pg_uuid_t *tenant_id, WfPiiPaths *paths)
{
	JsonbValue	list;
	const char *problem = NULL;

	if (wf_store_tenant_setting(tenant_id, "piiPaths", &list))
		problem = wf_pii_paths_read_all(paths, &list);
	if (problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the tenant's setting \"piiPaths\" is invalid: %s", problem),
						errhint("It is a list of paths like \"customer.email\" or \"**.iban\".")));
}

const WfPiiPaths *
wf_personal_paths(const pg_uuid_t *tenant_id, const WfGraph *graph)
{
	WfPiiPaths *paths = wf_pii_paths_make();

	for (int i = 0; i < graph->n_nodes; i++)
		if (!wf_block_marks(&graph->nodes[i], paths))
			ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
							errmsg("schemas of the workflow mark more than %d places as personal data", WF_PII_MOST_PATHS)));
	add_tenant_paths(tenant_id, paths);
	return wf_pii_paths_count(paths) == 0 ? NULL : paths;
}

/* -- of a run -- */

static WfPii *
pii_of(Run *run)
{
	MemoryContext old;
	JsonbValue	input;
	ListCell   *cell;

	if (run->pii != NULL)
		return run->pii;
	old = MemoryContextSwitchTo(run->memory);
	run->pii = wf_pii_begin(run->segment);
	if (run->compiled == NULL && run->pii_paths == NULL)
	{
		WfPiiPaths *all = wf_pii_paths_make();

		(void) wf_pii_paths_add(all, NULL, 0);
		run->pii_paths = all;
	}
	wf_pii_learn_all(run->pii, run->known);
	if (run->segment > 1)
		foreach(cell, wf_store_pii_of_run(&run->tenant.tenant_id, &run->run_id))
			wf_pii_learn_all(run->pii, lfirst(cell));
	if (run->input != NULL && run->pii_paths != NULL)
	{
		wf_json_root(run->input, &input);
		wf_pii_learn(run->pii, run->pii_paths, &input);
	}
	MemoryContextSwitchTo(old);
	return run->pii;
}

void
wf_personal_join(Run *run, const WfCompiled *compiled, const JsonbValue *input)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->is_personal = true;
	if (run->pii_paths == NULL)
		run->pii_paths = compiled->pii;
	else if (run->pii_paths != compiled->pii && !list_member_ptr(run->joined, compiled))
	{
		run->pii_paths = wf_pii_paths_join(run->pii_paths, compiled->pii);
		run->joined = lappend(run->joined, unconstify(WfCompiled *, compiled));
	}
	if (input != NULL && compiled != run->compiled)
		wf_pii_learn(pii_of(run), compiled->pii, input);
	MemoryContextSwitchTo(old);
}

Jsonb *
wf_personal_hide(Run *run, const Jsonb *json)
{
	WfPii	   *pii = pii_of(run);
	JsonbValue	root;

	if (json == NULL)
		return NULL;
	wf_json_root(json, &root);
	if (run->pii_paths != NULL)
		wf_pii_learn(pii, run->pii_paths, &root);
	return wf_pii_hide(pii, run->pii_paths, &root);
}

char *
wf_personal_hide_text(Run *run, const char *text)
{
	return text == NULL ? NULL : wf_pii_hide_text(pii_of(run), text);
}

Jsonb *
wf_personal_known(Run *run)
{
	return run->is_personal ? wf_pii_known(pii_of(run), MOST_KNOWN) : NULL;
}

void
wf_personal_save(Run *run)
{
	Jsonb	   *values = run->pii == NULL ? NULL : wf_pii_values(run->pii);

	if (values != NULL)
		wf_store_put_pii(&run->tenant.tenant_id, &run->run_id, run->segment, values);
}

/* -- triggers -- */

#define MARKS_KEPT 64

/* Whether a tenant marks anything, as of a generation (0: not known). */
typedef struct TenantMarks
{
	uint64		generation;
	pg_uuid_t	tenant_id;
	bool		marks;
} TenantMarks;

static TenantMarks marks_kept[MARKS_KEPT];

/* Where what is known of the tenant is kept, in the place of another one perhaps. */
static TenantMarks *
place_of(const pg_uuid_t *tenant_id)
{
	return &marks_kept[tenant_id->data[UUID_LEN - 1] % MARKS_KEPT];
}

static bool
is_of(const TenantMarks *kept, const pg_uuid_t *tenant_id)
{
	return memcmp(&kept->tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0;
}

static bool
tenant_marks(const pg_uuid_t *tenant_id)
{
	uint64		generation = wf_store_generation();
	TenantMarks *kept = place_of(tenant_id);
	JsonbValue	list;

	if (kept->generation == generation && is_of(kept, tenant_id))
		return kept->marks;
	kept->generation = 0;
	SPI_connect();
	kept->marks = wf_store_tenant_setting(tenant_id, "piiPaths", &list) && wf_json_count(&list) > 0;
	SPI_finish();
	kept->tenant_id = *tenant_id;
	kept->generation = wf_store_may_cache(generation) ? generation : 0;
	return kept->marks;
}

bool
wf_personal_trigger_is_known(const WfTriggerRow *trigger)
{
	const TenantMarks *kept = place_of(&trigger->tenant_id);

	return trigger->is_personal || (kept->marks && is_of(kept, &trigger->tenant_id));
}

bool
wf_personal_trigger(const WfTriggerRow *trigger)
{
	return trigger->is_personal || tenant_marks(&trigger->tenant_id);
}
