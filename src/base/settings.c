/*
 * settings.c: the settings, one table per type.
 *
 * A line here is all that a setting needs in C; docs/settings.md has its page and a lint compares.
 */
#include "postgres.h"

#include <limits.h>

#include "base/settings.h"
#include "miscadmin.h"
#include "utils/guc.h"

char	   *wf_setting_tenant = NULL;
int			wf_setting_event_buffer_time;
int			wf_setting_retention;
char	   *wf_setting_databases = NULL;
char	   *wf_setting_master_key_command = NULL;
char	   *wf_setting_master_key_file = NULL;
int			wf_setting_batch_time;
int			wf_setting_max_crashes;
int			wf_setting_max_workers;
int			wf_setting_worker_idle_timeout;
int			wf_setting_max_nodes;
int			wf_setting_max_depth;
int			wf_setting_max_iterations;
int			wf_setting_max_output_size;
int			wf_setting_max_context_size;
int			wf_setting_max_definition_size;
int			wf_setting_max_journal_size;
int			wf_setting_expression_time;
int			wf_setting_expression_memory;
bool		wf_setting_http_inline;
int			wf_setting_mail_max_size;

typedef struct IntSetting
{
	const char *name;
	const char *description;
	int		   *variable;
	int			boot;
	int			min;
	int			max;
	GucContext	context;
	int			flags;
} IntSetting;

typedef struct BoolSetting
{
	const char *name;
	const char *description;
	bool	   *variable;
	bool		boot;
	GucContext	context;
	int			flags;
} BoolSetting;

typedef struct StringSetting
{
	const char *name;
	const char *description;
	char	  **variable;
	const char *boot;
	GucContext	context;
	int			flags;
} StringSetting;

static const IntSetting int_settings[] = {
	{"workflow.batch_time", "Time that a worker gives to the runs that it commits together.",
	&wf_setting_batch_time, 5, 1, 60000, PGC_SIGHUP, GUC_UNIT_MS},
	{"workflow.event_buffer_time", "Time that an event is kept for runs that begin to wait for it later.",
	&wf_setting_event_buffer_time, 5 * 60 * 1000, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS},
	{"workflow.expression_memory", "Memory that one expression may use.",
	&wf_setting_expression_memory, 32 * 1024, 64, 1024 * 1024, PGC_USERSET, GUC_UNIT_KB},
	{"workflow.expression_time", "Time that one expression may take.",
	&wf_setting_expression_time, 250, 1, INT_MAX, PGC_USERSET, GUC_UNIT_MS},
	{"workflow.mail_max_size", "Size of all attachments of a mail.",
	&wf_setting_mail_max_size, 25 * 1024, 1, 128 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.max_context_size", "Size of all outputs that a run holds at once.",
	&wf_setting_max_context_size, 256 * 1024, 16, 1024 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.max_crashes", "Workers that may go down over a run before it is parked.",
	&wf_setting_max_crashes, 3, 1, 1000, PGC_SIGHUP, 0},
	{"workflow.max_definition_size", "Size of a definition.",
	&wf_setting_max_definition_size, 16 * 1024, 16, 256 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.max_depth", "Nesting of containers, inline subworkflows, and runs started by runs.",
	&wf_setting_max_depth, 32, 1, 1000, PGC_SUSET, 0},
	{"workflow.max_iterations", "Steps of one run.",
	&wf_setting_max_iterations, 1000000, 1, INT_MAX, PGC_SUSET, 0},
	{"workflow.max_journal_size", "Size of the journal of one segment.",
	&wf_setting_max_journal_size, 256 * 1024, 64, 900 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.max_nodes", "Nodes of a definition.",
	&wf_setting_max_nodes, 10000, 1, 1000000, PGC_SUSET, 0},
	{"workflow.max_output_size", "Size of the output of one node.",
	&wf_setting_max_output_size, 64 * 1024, 1, 256 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.max_workers", "Worker processes of the server.",
	&wf_setting_max_workers, 4, 1, 256, PGC_POSTMASTER, 0},
	{"workflow.retention", "Time that ended runs are kept; 0: for ever.",
	&wf_setting_retention, 0, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MIN},
	{"workflow.worker_idle_timeout", "Time after which a worker that has nothing to do ends; 0: never.",
	&wf_setting_worker_idle_timeout, 60 * 1000, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS},
};

static const BoolSetting bool_settings[] = {
	{"workflow.http_inline", "Allows requests that are performed within the transaction.",
	&wf_setting_http_inline, false, PGC_SUSET, 0},
};

static const StringSetting string_settings[] = {
	{"workflow.databases", "Databases in which runs are carried on; empty: all that have the extension.",
	&wf_setting_databases, "", PGC_SIGHUP, GUC_LIST_INPUT},
	{"workflow.master_key_command", "Command that prints the master key of secrets.",
	&wf_setting_master_key_command, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY},
	{"workflow.master_key_file", "File with the master key of secrets.",
	&wf_setting_master_key_file, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY},
	{"workflow.tenant", "Tenant to act for; empty: the only one that the role is a member of.",
	&wf_setting_tenant, "", PGC_USERSET, 0},
};

/* What is fixed when the server starts can be defined then only; later on such a setting has no effect at all. */
static GucContext
context_of(GucContext context)
{
	return context == PGC_POSTMASTER && !process_shared_preload_libraries_in_progress ? PGC_SIGHUP : context;
}

void
wf_settings_init(void)
{
	for (int i = 0; i < lengthof(int_settings); i++)
	{
		const IntSetting *s = &int_settings[i];

		DefineCustomIntVariable(s->name, s->description, NULL, s->variable, s->boot, s->min, s->max,
								context_of(s->context), s->flags, NULL, NULL, NULL);
	}
	for (int i = 0; i < lengthof(bool_settings); i++)
	{
		const BoolSetting *s = &bool_settings[i];

		DefineCustomBoolVariable(s->name, s->description, NULL, s->variable, s->boot, s->context, s->flags,
								 NULL, NULL, NULL);
	}
	for (int i = 0; i < lengthof(string_settings); i++)
	{
		const StringSetting *s = &string_settings[i];

		DefineCustomStringVariable(s->name, s->description, NULL, s->variable, s->boot,
								   context_of(s->context), s->flags, NULL, NULL, NULL);
	}
	MarkGUCPrefixReserved("workflow");
}
