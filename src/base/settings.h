/*
 * settings.h: every setting of ours (`workflow.*`), registered from one table per type.
 */
#ifndef WF_BASE_SETTINGS_H
#define WF_BASE_SETTINGS_H

#include "postgres.h"

extern char *wf_setting_tenant;			/* name of the tenant to act for; empty: the only one */
extern int	wf_setting_event_buffer_time;	/* ms that an event is kept for */
extern int	wf_setting_retention;	/* minutes that ended runs are kept; 0: for ever */
extern char *wf_setting_databases;		/* names of those in which runs are carried on; empty: all */
extern char *wf_setting_master_key_command;	/* prints the master key of secrets; or empty */
extern char *wf_setting_master_key_file;	/* holds it; or empty */
extern char *wf_setting_master_key_previous_command;	/* prints the one before; or empty */
extern char *wf_setting_master_key_previous_file;	/* holds that; or empty */
extern int	wf_setting_batch_time;		/* ms, of runs that are committed together */
extern int	wf_setting_max_crashes;		/* of a run */
extern int	wf_setting_max_workers;		/* of the server */
extern int	wf_setting_worker_idle_timeout;	/* ms; 0: none */
extern int	wf_setting_max_nodes;		/* nodes in a definition */
extern int	wf_setting_max_depth;		/* nested containers, inline subworkflows, runs in runs */
extern int	wf_setting_max_iterations;	/* steps of one run */
extern int	wf_setting_max_output_size;		/* kB, of one node */
extern int	wf_setting_webhook_max_size;	/* kB: body, or query, of a webhook that comes in */
extern int	wf_setting_max_trigger_chain;	/* starts by triggers, one from another */
extern int	wf_setting_max_context_size;	/* kB, of all outputs of a run */
extern int	wf_setting_max_definition_size;	/* kB */
extern int	wf_setting_max_journal_size;	/* kB, of one segment */
extern int	wf_setting_expression_time;		/* ms */
extern int	wf_setting_expression_memory;	/* kB */
extern int	wf_setting_code_time;		/* ms of the processor, of one call of code */
extern int	wf_setting_code_memory;		/* kB, of one call */
extern int	wf_setting_code_total_memory;	/* kB, of all processes */
extern int	wf_setting_code_log_lines;	/* of one call */
extern bool wf_setting_http_log_bodies;	/* wf_requests keeps what was sent and what came */
extern bool wf_setting_http_inline;		/* requests within the transaction are allowed */
extern char *wf_setting_http_allow;		/* rules of addresses that are open (net/net.h); or empty */
extern char *wf_setting_http_deny;		/* of those that are closed */
extern char *wf_setting_http_ca_file;	/* certificates to trust; empty: the system's */
extern int	wf_setting_http_timeout;	/* ms, of an attempt whose request does not say */
extern int	wf_setting_http_max_in_flight;	/* requests, of a database */
extern int	wf_setting_http_max_response_size;	/* kB, of an answer */
extern char *wf_setting_smtp_url;		/* the mail relay (smtp_url.h), perhaps with a password; or empty */
extern int	wf_setting_mail_max_size;	/* kB, of all attachments of a mail */
extern char *wf_setting_notify_channel;	/* notified by wf_emit; or empty */

/* Registers all of them; called once from _PG_init. */
extern void wf_settings_init(void);

#endif
