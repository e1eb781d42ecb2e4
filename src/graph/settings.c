/*
 * settings.c: the `settings` of a definition.
 *
 * Each key has its type in one table and its meaning in one line below. Expressions
 * (concurrencyKey) are taken as text: what they mean is for the rooms above.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/build.h"

enum
{
	SET_ATOMIC,
	SET_TIMEOUT,
	SET_SECURITY,
	SET_JOURNAL,
	SET_RETRY,
	SET_MAX_CONCURRENCY,
	SET_CONCURRENCY_KEY,
	SET_CONCURRENCY_POLICY,
	SET_PRIORITY,
	SET_ERROR_WORKFLOW,
	SET_MAX_OUTPUT_SIZE,
	SET_JAVASCRIPT,
	SET_COMPENSATE_ON_CANCEL,
	SET_KEYS
};

static const WfKey setting_keys[SET_KEYS] = {
	[SET_ATOMIC] = {"atomic", WF_IS_BOOLEAN},
	[SET_TIMEOUT] = {"timeout", WF_IS_STRING | WF_IS_NUMBER},
	[SET_SECURITY] = {"security", WF_IS_STRING},
	[SET_JOURNAL] = {"journal", WF_IS_STRING},
	[SET_RETRY] = {"retry", WF_IS_OBJECT},
	[SET_MAX_CONCURRENCY] = {"maxConcurrency", WF_IS_NUMBER},
	[SET_CONCURRENCY_KEY] = {"concurrencyKey", WF_IS_STRING},
	[SET_CONCURRENCY_POLICY] = {"concurrencyPolicy", WF_IS_STRING},
	[SET_PRIORITY] = {"priority", WF_IS_NUMBER},
	[SET_ERROR_WORKFLOW] = {"errorWorkflow", WF_IS_STRING},
	[SET_MAX_OUTPUT_SIZE] = {"maxOutputSize", WF_IS_STRING | WF_IS_NUMBER},
	[SET_JAVASCRIPT] = {"javascript", WF_IS_STRING},
	[SET_COMPENSATE_ON_CANCEL] = {"compensateOnCancel", WF_IS_BOOLEAN},
};

static const char *const securities[] = {"invoker", "definer"};
static const char *const journals[] = {"full", "errors", "none"};
static const char *const policies[] = {"queue", "skip", "cancelRunning"};
static const char *const javascripts[] = {"full"};

static const WfPlace settings_place = {.kind = "settings", .list = "settings", .index = -1};

static bool
is_true(const WfField *field)
{
	return field->present && field->value.val.boolean;
}

/* The settings that are one of a few words. */
static void
read_choices(WfBuild *b, const WfField *f, WfSettings *s)
{
	const WfPlace *place = &settings_place;
	int			choice;

	s->definer = wf_graph_read_choice(b, &f[SET_SECURITY], place, "security", securities, lengthof(securities)) == 1;

	choice = wf_graph_read_choice(b, &f[SET_JOURNAL], place, "journal", journals, lengthof(journals));
	s->journal = choice < 0 ? WF_JOURNAL_FULL : (WfJournal) choice;

	choice = wf_graph_read_choice(b, &f[SET_CONCURRENCY_POLICY], place, "concurrencyPolicy", policies, lengthof(policies));
	s->concurrency_policy = policies[Max(choice, 0)];

	choice = wf_graph_read_choice(b, &f[SET_JAVASCRIPT], place, "javascript", javascripts, lengthof(javascripts));
	s->javascript = choice < 0 ? NULL : javascripts[choice];
}

/* The default policy of nodes; a delayed retry is a suspension, which `atomic` excludes. */
static void
read_default_retry(WfBuild *b, const WfField *field, WfSettings *s)
{
	WfPlace		place = settings_place;

	place.within = "retry";
	wf_graph_retry_none(&s->retry);
	if (!field->present)
		return;
	s->has_retry = true;
	wf_graph_read_retry(b, &field->value, &place, &s->retry);
	if (s->atomic && s->retry.initial_delay_ms > 0)
		wf_graph_wrong(b, &place, "initialDelay", "Drop \"initialDelay\" or \"atomic\".",
					   "retries in an atomic workflow are immediate and cannot have an initial delay");
}

/* Reads the settings; defaults where nothing is given. */
void
wf_graph_read_settings(WfBuild *b, const WfField *section)
{
	WfSettings *s = &b->graph->settings;
	const WfPlace *place = &settings_place;
	WfField		f[SET_KEYS] = {0};

	if (section->present)
		wf_graph_read(b, &section->value, place, setting_keys, SET_KEYS, f);
	s->atomic = is_true(&f[SET_ATOMIC]);
	s->compensate_on_cancel = is_true(&f[SET_COMPENSATE_ON_CANCEL]);
	wf_graph_read_duration(b, &f[SET_TIMEOUT], place, "timeout", &s->timeout_ms);
	read_choices(b, f, s);
	read_default_retry(b, &f[SET_RETRY], s);
	wf_graph_read_int(b, &f[SET_MAX_CONCURRENCY], place, "maxConcurrency", 1, PG_INT32_MAX, &s->max_concurrency);
	wf_graph_read_int(b, &f[SET_PRIORITY], place, "priority", -1000, 1000, &s->priority);
	wf_graph_read_size(b, &f[SET_MAX_OUTPUT_SIZE], place, "maxOutputSize", &s->max_output_bytes);
	s->concurrency_key = wf_graph_read_text(b, &f[SET_CONCURRENCY_KEY], place, "concurrencyKey", PG_INT32_MAX);
	s->error_workflow = wf_graph_read_text(b, &f[SET_ERROR_WORKFLOW], place, "errorWorkflow", WF_GRAPH_NAME_BYTES);
}
