/*
 * session.c: a process's session, and what runs leave behind in it.
 *
 * A worker's session is the role's: ALTER ROLE and ALTER DATABASE ... SET apply to it as to any other. Those settings
 * that would change what the engine's statements do, or end the process, are overridden when it begins; as the source
 * ranks above that of roles, RESET in a run's SQL gives ours.
 *
 * A run finds the session as the first one found it. What lives in the session and not in the transaction is
 * discarded between runs of one transaction, and after it, as deferred triggers come last: settings (a nest level around each run, rolled back), prepared
 * statements, cursors, session-level advisory locks, values of sequences. Temporary tables can only go after
 * the commit, so that a run that made one is the last of its transaction. LISTEN is refused in background workers.
 *
 * What remains: libraries that were loaded, and what a procedural language keeps in its interpreter.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/procsignal.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/portal.h"
#include "worker/worker.h"

static const struct
{
	const char *name;
	const char *value;
}			fixed[] = {
	{"role", "none"},
	{"search_path", "\"$user\", public"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"statement_timeout", "0"},
	{"lock_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"transaction_timeout", "0"},
	{"client_connection_check_interval", "0"},
	{"exit_on_error", "off"},
	{"row_security", "on"},
	{"session_replication_role", "origin"},
	{"session_preload_libraries", ""},
	{"local_preload_libraries", ""},
	{"workflow.tenant", ""},
};

void
wf_session_begin(Oid role)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	for (int i = 0; i < lengthof(fixed); i++)
		/* some are of newer servers */
		if (GetConfigOption(fixed[i].name, true, false) != NULL)
			(void) set_config_option(fixed[i].name, fixed[i].value, PGC_SUSET, PGC_S_OVERRIDE, GUC_ACTION_SET,
									 true, WARNING, false);
	if (GetSessionUserId() != role)
		SetConfigOption("session_authorization", GetUserNameFromId(role, false), PGC_SUSET, PGC_S_OVERRIDE);
	if (GetSessionUserId() != role || GetUserId() != role)
		elog(FATAL, "the session is not that of role %u", role);
	CommitTransactionCommand();
}

int
wf_session_begin_run(void)
{
	return NewGUCNestLevel();
}

void
wf_session_end_run(int level)
{
	AtEOXact_GUC(false, level);
	PortalHashTableDeleteAll();
	DropAllPreparedStatements();
	ResetSequenceCaches();
	LockReleaseSession(USER_LOCKMETHOD);
}

bool
wf_session_has_temporary(void)
{
	return (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0;
}

void
wf_session_after_transaction(void)
{
	/* triggers that the commit ran came after the runs: they may have done all that these may */
	ResetAllOptions();
	if (GetUserId() != GetSessionUserId())
		SetConfigOption("role", "none", PGC_USERSET, PGC_S_SESSION);
	PortalHashTableDeleteAll();
	DropAllPreparedStatements();
	ResetSequenceCaches();
	LockReleaseSession(USER_LOCKMETHOD);
	if (!wf_session_has_temporary())
		return;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	ResetTempTableNamespace();
	CommitTransactionCommand();
}

bool
wf_session_has_extension(void)
{
	return OidIsValid(get_extension_oid("workflow", true));
}

bool
wf_session_look_around(void)
{
	bool		reloads = ConfigReloadPending;

	/* told to end, and nothing is at hand: no reason to complain in the log; the launcher is to be started again */
	if (ProcDiePending)
		proc_exit(MyBgworkerEntry->bgw_restart_time == BGW_NEVER_RESTART ? 0 : 1);
	/* a cancel of what is over */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (reloads)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	return reloads;
}
