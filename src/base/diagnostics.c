/*
 * diagnostics.c: collecting what validators find.
 *
 * A validator reports and goes on; nothing is thrown, so that the author of a definition sees all of
 * it at once. The collection is bounded: what comes after `most` is counted, not kept.
 */
#include "postgres.h"

#include "base/diagnostics.h"
#include "base/text.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

#define DEFAULT_MOST 1000

WfDiagnostics *
wf_diagnostics_begin(void)
{
	WfDiagnostics *found = palloc0(sizeof(WfDiagnostics));

	found->most = DEFAULT_MOST;
	found->memory = CurrentMemoryContext;
	return found;
}

static const char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

void
wf_diagnostics_add(WfDiagnostics *found, WfSeverity severity, int sqlstate, const char *node, const char *path,
				   const char *hint, const char *fmt, ...)
{
	MemoryContext old;
	WfDiagnostic *item;
	StringInfoData message;

	if (severity == WF_SEVERITY_ERROR)
		found->n_errors++;
	if (list_length(found->items) >= found->most)
	{
		found->n_dropped++;
		return;
	}
	old = MemoryContextSwitchTo(found->memory);
	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	item = palloc0(sizeof(WfDiagnostic));
	item->severity = severity;
	item->sqlstate = sqlstate;
	item->node = copy_or_null(node);
	item->path = copy_or_null(path);
	item->hint = copy_or_null(hint);
	item->message = message.data;
	found->items = lappend(found->items, item);
	MemoryContextSwitchTo(old);
}

const char *
wf_severity_name(WfSeverity severity)
{
	switch (severity)
	{
		case WF_SEVERITY_ERROR:
			return "error";
		case WF_SEVERITY_WARNING:
			return "warning";
		case WF_SEVERITY_INFO:
			return "info";
	}
	return "unknown";
}
