/*
 * settings.c: the settings, one table per type.
 *
 * A line here is all that a setting needs in C; docs/settings.md has its page and a lint compares.
 */
#include "postgres.h"

#include <limits.h>

#include "base/settings.h"
#include "base/smtp_url.h"
#include "miscadmin.h"
#include "utils/guc.h"

char	   *wf_setting_tenant = NULL;
int			wf_setting_event_buffer_time;
int			wf_setting_retention;
char	   *wf_setting_databases = NULL;
char	   *wf_setting_master_key_command = NULL;
char	   *wf_setting_master_key_file = NULL;
char	   *wf_setting_master_key_previous_command = NULL;
char	   *wf_setting_master_key_previous_file = NULL;
int			wf_setting_batch_time;
int			wf_setting_max_crashes;
int			wf_setting_max_workers;
int			wf_setting_worker_idle_timeout;
int			wf_setting_max_nodes;
int			wf_setting_max_depth;
int			wf_setting_max_iterations;
int			wf_setting_max_output_size;
int			wf_setting_max_trigger_chain;
int			wf_setting_webhook_max_size;
int			wf_setting_max_context_size;
int			wf_setting_max_definition_size;
int			wf_setting_max_journal_size;
int			wf_setting_code_time;
int			wf_setting_code_memory;
int			wf_setting_code_total_memory;
int			wf_setting_code_log_lines;
int			wf_setting_expression_time;
int			wf_setting_expression_memory;
bool		wf_setting_http_log_bodies;
bool		wf_setting_http_inline;
char	   *wf_setting_http_allow = NULL;
char	   *wf_setting_http_deny = NULL;
char	   *wf_setting_http_ca_file = NULL;
int			wf_setting_http_timeout;
int			wf_setting_http_max_in_flight;
int			wf_setting_http_max_response_size;
char	   *wf_setting_smtp_url = NULL;
int			wf_setting_mail_max_size;
char	   *wf_setting_notify_channel = NULL;

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
	GucStringCheckHook check;	/* or NULL */
} StringSetting;

/* Says what is wrong without the value, which PostgreSQL's own message would quote. */
static bool
check_smtp_url(char **value, void **extra, GucSource source)
{
	WfSmtpUrl	url;
	const char *problem = (*value)[0] == '\0' ? NULL : wf_smtp_url_read(*value, &url);

	explicit_bzero(&url, sizeof(url));
	if (problem == NULL)
		return true;
	GUC_check_errmsg("invalid value for parameter \"workflow.smtp_url\": %s", problem);
	GUC_check_errhint("It is smtp://host:port or smtps://host:port, perhaps with user:password@ before the host.");
	return false;
}

/* PostgreSQL has no longer names of channels. */
static bool
check_notify_channel(char **value, void **extra, GucSource source)
{
	if (strlen(*value) < NAMEDATALEN)
		return true;
	GUC_check_errdetail("The name of a channel has at most %d bytes.", NAMEDATALEN - 1);
	return false;
}

static const IntSetting int_settings[] = {
	{"workflow.batch_time", "Time that a worker gives to the runs that it commits together.",
	&wf_setting_batch_time, 5, 1, 60000, PGC_SIGHUP, GUC_UNIT_MS},
	{"workflow.code_log_lines", "Lines that code may log in one call.",
	&wf_setting_code_log_lines, 1000, 0, 1000000, PGC_SUSET, 0},
	{"workflow.code_memory", "Memory that code may use in one call.",
	&wf_setting_code_memory, 128 * 1024, 4 * 1024, 1024 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.code_time", "Time of the processor that code may take in one call.",
	&wf_setting_code_time, 5000, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MS},
	{"workflow.code_total_memory", "Memory that code may use in all processes together.",
	&wf_setting_code_total_memory, 1024 * 1024, 16 * 1024, INT_MAX, PGC_SIGHUP, GUC_UNIT_KB},
	{"workflow.event_buffer_time", "Time that an event is kept for runs that begin to wait for it later.",
	&wf_setting_event_buffer_time, 5 * 60 * 1000, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS},
	{"workflow.expression_memory", "Memory that one expression may use.",
	&wf_setting_expression_memory, 32 * 1024, 64, 1024 * 1024, PGC_USERSET, GUC_UNIT_KB},
	{"workflow.expression_time", "Time that one expression may take.",
	&wf_setting_expression_time, 250, 1, INT_MAX, PGC_USERSET, GUC_UNIT_MS},
	{"workflow.http_max_in_flight", "Requests of a database that are in flight at once.",
	&wf_setting_http_max_in_flight, 1000, 1, 100000, PGC_SUSET, 0},
	{"workflow.http_max_response_size", "Size of the body of an answer.",
	&wf_setting_http_max_response_size, 10 * 1024, 1, 128 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.http_timeout", "Time that an attempt to send a request may take, unless the request says.",
	&wf_setting_http_timeout, 30 * 1000, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MS},
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
	{"workflow.max_trigger_chain", "Triggers that may start each other, one from another.",
	&wf_setting_max_trigger_chain, 16, 0, 1000, PGC_SUSET, 0},
	{"workflow.max_workers", "Worker processes of the server.",
	&wf_setting_max_workers, 4, 1, 256, PGC_POSTMASTER, 0},
	{"workflow.retention", "Time that ended runs are kept; 0: for ever.",
	&wf_setting_retention, 0, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MIN},
	{"workflow.webhook_max_size", "Size of the body of a webhook that comes in.",
	&wf_setting_webhook_max_size, 1024, 1, 64 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"workflow.worker_idle_timeout", "Time after which a worker that has nothing to do ends; 0: never.",
	&wf_setting_worker_idle_timeout, 60 * 1000, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS},
};

static const BoolSetting bool_settings[] = {
	{"workflow.http_inline", "Allows requests that are performed within the transaction.",
	&wf_setting_http_inline, false, PGC_SUSET, 0},
	{"workflow.http_log_bodies", "Keeps bodies of requests and answers in wf_requests.",
	&wf_setting_http_log_bodies, false, PGC_SUSET, 0},
};

static const StringSetting string_settings[] = {
	{"workflow.databases", "Databases in which runs are carried on; empty: all that have the extension.",
	&wf_setting_databases, "", PGC_SIGHUP, GUC_LIST_INPUT},
	{"workflow.http_allow", "Addresses and hosts to which requests may go although they are closed by default.",
	&wf_setting_http_allow, "", PGC_SUSET, 0},
	{"workflow.http_ca_file", "File with the certificates that servers' are checked against; empty: the system's.",
	&wf_setting_http_ca_file, "", PGC_SUSET, 0},
	{"workflow.http_deny", "Addresses and hosts to which requests may not go.",
	&wf_setting_http_deny, "", PGC_SUSET, 0},
	{"workflow.master_key_command", "Command that prints the master key of secrets.",
	&wf_setting_master_key_command, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY},
	{"workflow.master_key_file", "File with the master key of secrets.",
	&wf_setting_master_key_file, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY},
	{"workflow.master_key_previous_command", "Command that prints the master key that secrets had before.",
	&wf_setting_master_key_previous_command, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY},
	{"workflow.master_key_previous_file", "File with the master key that secrets had before.",
	&wf_setting_master_key_previous_file, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY},
	{"workflow.notify_channel", "Channel that is notified when an event is emitted; empty: none.",
	&wf_setting_notify_channel, "", PGC_SUSET, 0, check_notify_channel},
	{"workflow.smtp_url", "Mail relay: smtp or smtps://user:password@host:port.",
	&wf_setting_smtp_url, "", PGC_SUSET, GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL, check_smtp_url},
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
								   context_of(s->context), s->flags, s->check, NULL, NULL);
	}
	MarkGUCPrefixReserved("workflow");
}
