/*
 * run.c: executing a statement: the right text, the values, the output.
 *
 * A text that depends on no value is kept with the statement together with its plan, one for each
 * combination of natures that values turned out to have (text.c). The usual one is first in the list
 * and found by one comparison. A text that does depend on values is made anew, in the memory of the
 * step, and its plan comes from the shared cache.
 *
 * Reentrance: a trigger may run the same statement again, and DDL in it may make the plan stale. The
 * plan is held while it runs, and a kept text is in the memory of its plan; so both stay until
 * this execution is done, whatever happens to the statement's list of variants.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Tries of the two statements of an upsert before it gives up. */
#define MAX_UPSERT_TRIES 100

/* -- texts -- */

void
wf_query_build_begin(WfBuild *b, WfStatement *statement)
{
	memset(b, 0, sizeof(WfBuild));
	b->statement = statement;
	b->mode = WF_SINK_ROWS;
	initStringInfo(&b->sql);
}

void
wf_query_build(WfBuild *b)
{
	static void (*const builders[]) (WfBuild *b) = {
		[WF_QUERY_FIND] = wf_query_build_find,
		[WF_QUERY_FIND_ONE] = wf_query_build_find,
		[WF_QUERY_CREATE] = wf_query_build_create,
		[WF_QUERY_UPDATE] = wf_query_build_update,
		[WF_QUERY_UPSERT] = wf_query_build_upsert,
		[WF_QUERY_DELETE] = wf_query_build_delete,
		[WF_QUERY_BULK_CREATE] = wf_query_build_bulk,
		[WF_QUERY_BULK_UPDATE] = wf_query_build_bulk,
		[WF_QUERY_BULK_DELETE] = wf_query_build_bulk,
		[WF_QUERY_AGGREGATE] = wf_query_build_aggregate,
		[WF_QUERY_SQL] = wf_query_build_raw,
		[WF_QUERY_CALL] = wf_query_build_call,
	};

	builders[b->statement->kind] (b);
	if (b->statement->kind != WF_QUERY_SQL)
		b->format = b->mode;
}

/* What was built, in CurrentMemoryContext. */
static WfText *
take_text(WfBuild *b)
{
	WfText	   *text = palloc0(sizeof(WfText));

	text->sql = b->sql.data;
	text->n_params = b->n_params;
	text->params = b->params;
	text->n_choices = b->n_choices;
	text->natures = palloc0(b->n_choices + 1);
	if (b->natures != NULL)
		memcpy(text->natures, b->natures, Min(b->n_choices, b->n_natures));
	for (int i = 0; i < b->n_params; i++)
		if (b->params[i].choice >= 0)
			text->natures[b->params[i].choice] = b->params[i].nature;
	text->is_default = b->natures == NULL;
	text->part = b->part;
	text->note_rows = b->note_rows;
	text->mode = b->mode;
	text->format = b->format;
	text->flagged = b->flagged;
	text->returns = b->returns;
	text->in_two = b->in_two;
	text->operation = b->operation;
	if (b->operation != NULL && b->n_tables > 0)
		text->table = b->tables[0].display;
	return text;
}

static void
get_plan(WfText *text, WfBuild *b, bool shared)
{
	Oid		   *types = palloc(sizeof(Oid) * (text->n_params + 1));

	for (int i = 0; i < text->n_params; i++)
		types[i] = text->params[i].type;
	if (shared)
		text->plan = wf_query_plan_shared(text->sql, b->statement->search_path, text->n_params, types, b->relations,
										  b->function);
	else
		text->plan = wf_query_plan_make(text->sql, text->n_params, types, b->relations, b->function);
}

/* Puts a text first in the list; the last falls out when there are too many. */
static void
add_variant(WfStatement *statement, WfText *text)
{
	if (statement->n_variants == WF_MAX_VARIANTS)
		wf_query_plan_drop(statement->variants[--statement->n_variants]->plan);
	memmove(&statement->variants[1], &statement->variants[0], sizeof(WfText *) * statement->n_variants);
	statement->variants[0] = text;
	statement->n_variants++;
}

static void
remove_stale(WfStatement *statement)
{
	int			kept = 0;

	for (int i = 0; i < statement->n_variants; i++)
	{
		WfText	   *text = statement->variants[i];

		if (text->plan->stale)
			wf_query_plan_drop(text->plan);
		else
			statement->variants[kept++] = text;
	}
	statement->n_variants = kept;
}

/* A copy without what the walk left behind, in the plan's memory. Templates stay where they are, but for constants,
 * which may have been made by the walk; what those point to is the config's. */
static WfText *
keep_text(const WfText *text)
{
	MemoryContext old = MemoryContextSwitchTo(text->plan->memory);
	WfText	   *kept = palloc(sizeof(WfText));

	*kept = *text;
	kept->sql = text->plan->sql;
	kept->params = palloc(sizeof(WfParam) * (text->n_params + 1));
	for (int i = 0; i < text->n_params; i++)
	{
		WfParam    *param = &kept->params[i];

		*param = text->params[i];
		param->label = pstrdup(param->label);
		if (param->tpl->kind == WF_TEMPLATE_CONSTANT)
			param->tpl = wf_query_part_constant(&param->tpl->constant);
	}
	kept->natures = palloc(text->n_choices + 1);
	memcpy(kept->natures, text->natures, text->n_choices);
	if (text->table != NULL)
		kept->table = pstrdup(text->table);
	MemoryContextSwitchTo(old);
	return kept;
}

/* Makes the text; kept with the statement unless it depends on values. Valid until the plan is dropped;
 * the caller holds it. */
static WfText *
make_text(WfStatement *statement, WfScope *scope, int part, bool note_rows, const uint8 *natures, int n_natures)
{
	WfBuild		b;
	WfText	   *text;

	wf_query_build_begin(&b, statement);
	b.scope = scope;
	b.part = part;
	b.note_rows = note_rows;
	b.natures = natures;
	b.n_natures = n_natures;
	wf_query_build(&b);
	text = take_text(&b);
	get_plan(text, &b, b.dynamic);
	if (b.dynamic)
		return text;
	text = keep_text(text);
	add_variant(statement, text);
	return text;
}

static WfText *
find_text(WfStatement *statement, WfScope *scope, int part, bool note_rows, const uint8 *natures, int n_natures)
{
	for (int i = 0; i < statement->n_variants; i++)
	{
		WfText	   *text = statement->variants[i];

		if (text->plan->stale)
		{
			remove_stale(statement);
			return make_text(statement, scope, part, note_rows, natures, n_natures);
		}
		if (text->part != part || text->note_rows != note_rows)
			continue;
		if (natures == NULL ? text->is_default
			: text->n_choices == n_natures && memcmp(text->natures, natures, n_natures) == 0)
			return text;
	}
	return make_text(statement, scope, part, note_rows, natures, n_natures);
}

/* -- running -- */

/* Runs with this text, or returns false with the natures that another text is wanted for. */
static bool
run_text(WfText *text, WfScope *scope, WfRowSink *sink, WfRan *ran, uint8 *natures)
{
	WfPlan	   *plan = text->plan;
	volatile bool done = false;

	plan->n_users++;
	PG_TRY();
	{
		ParamListInfo params = text->n_params > 0 ? makeParamList(text->n_params) : NULL;

		if (wf_query_evaluate(text, scope, params, natures))
		{
			wf_query_sink_begin(sink, text->mode);
			sink->flagged = text->flagged;
			sink->keeps_value = text->format == WF_SINK_VALUE;
			wf_query_plan_run(plan, params, sink);
			*ran = (WfRan) {text->format, text->returns, text->in_two, NULL, text->operation};
			if (text->note_rows && text->table != NULL)
				ran->table = pstrdup(text->table);
			done = true;
		}
	}
	PG_FINALLY();
	{
		wf_query_plan_release(plan);
	}
	PG_END_TRY();
	return done;
}

void
wf_query_run_part(WfStatement *statement, WfScope *scope, int part, bool note_rows, WfRowSink *sink, WfRan *ran)
{
	WfText	   *text = find_text(statement, scope, part, note_rows, NULL, 0);
	int			n_natures = text->n_choices;
	uint8	   *natures = NULL;

	if (n_natures > 0)
	{
		natures = palloc(n_natures);
		memcpy(natures, text->natures, n_natures);
	}
	if (run_text(text, scope, sink, ran, natures))
		return;
	text = find_text(statement, scope, part, note_rows, natures, n_natures);
	if (!run_text(text, scope, sink, ran, natures))
		elog(ERROR, "values changed while they were evaluated");
}

/*
 * An upsert in two statements. Between them the row may go away; then both are tried again. A row that neither
 * statement touches (a trigger may refuse both) ends it with a count of 0.
 */
static bool
run_upsert(WfStatement *statement, WfScope *scope, bool note_rows, WfRowSink *sink, WfRan *ran)
{
	wf_query_run_part(statement, scope, 0, note_rows, sink, ran);
	if (!ran->in_two)
		return sink->flag;
	for (int i = 0; i < MAX_UPSERT_TRIES; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (sink->processed > 0)
			return true;
		wf_query_run_part(statement, scope, 1, note_rows, sink, ran);
		if (sink->processed > 0)
			return false;
		wf_query_run_part(statement, scope, 0, note_rows, sink, ran);
	}
	return false;
}

void
wf_query_execute(WfStatement *statement, WfScope *scope, bool note_rows, WfQueryResult *result)
{
	WfRowSink	sink;
	WfRan		ran;
	bool		inserted = false;

	memset(result, 0, sizeof(WfQueryResult));
	if (statement->by_items)
	{
		wf_query_execute_bulk(statement, scope, note_rows, result);
		return;
	}
	if (statement->kind == WF_QUERY_UPSERT)
		inserted = run_upsert(statement, scope, note_rows, &sink, &ran);
	else
		wf_query_run_part(statement, scope, 0, note_rows, &sink, &ran);
	wf_query_result_set(statement->kind, &sink, &ran, inserted, note_rows, result);
}
