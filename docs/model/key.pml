/*
 * The life of one idempotency key, and everything that can go wrong on the way. README.md says what is left out;
 * `check` explores every interleaving, with and without each guard.
 *
 * Begin with `worker`: each d_step of its loop is one thing that it can do, and is atomic; between two of them anybody
 * else may act. A stall needs no words: who does not move is stalled, for as long as it likes.
 *
 * BREAK_... takes one guard away; the comment behind it names the promise that breaks. FAULTS=n allows for n faults
 * and two requests of the client, because with endless crashes nothing ever ends; without it there is no limit.
 */

mtype = { none, started, ride_created, finished };                      /* recovery points; none: no such row */
mtype = { claim, take, load, record, release, park };                   /* transactions */
mtype = { idle, look_up, charge, doubt };                               /* what else a worker may be about to do */
mtype = { nothing, paid, refused };                                     /* outcomes of the charge */
mtype = { done, in_vain };                                              /* outcomes of transactions, for printing */

/* Fencing tokens. The worker's number is the token of its present attempt; real ones are random. */
#define NOBODY          0
#define doubtful(token) (token + 2)     /* one that the same attempt had before a commit in doubt */
#define LATE            5               /* one of a past attempt that has a transaction under way */
#define GONE            6               /* one of a past attempt */

#define MOST_COMPLETIONS 1      /* attempts of the completer before it parks the key */

#define ANOTHER_DATABASES_KEY 0         /* a charge key that another database has used: a serial number may be */
#define A_RANDOM_KEY          1         /* stored with the ride */
#define A_KEY_OF_THIS_ATTEMPT (me + 1)

/* ---- The database ------------------------------------------------------------------------------------------- */

mtype point = none;
byte  lease = NOBODY;
bool  ran_out;                  /* the lease is older than the lease time */
bool  parked;
byte  completions;
byte  rides;
bool  charge_is_old;            /* the ride is older than the limit for repeating its charge */
byte  receipts;                 /* staged */
mtype answer = nothing;         /* keeps its value when the row is removed, so as to be checked for ever */

/* A transaction whose connection broke while the server was at work on it: it will commit, some time. */
byte  late_token = NOBODY;
mtype late_transaction, late_result;

#define unfinished (point != none && point != finished && !parked)
#define reaped     (point == none && answer != nothing)

#define belongs_to(token) (lease == token || lease == doubtful(token))

#ifdef BREAK_PARKED             /* a parked key waits for a person */
#define may_go_on (point != none && point != finished)
#else
#define may_go_on unfinished
#endif

#ifdef BREAK_CLAIM              /* a lease is honoured */
#define free_for(token) true
#elif defined(BREAK_TAKEOVER)   /* every key is finished or parked */
#define free_for(token) (lease == NOBODY || belongs_to(token))
#else
#define free_for(token) (lease == NOBODY || belongs_to(token) || ran_out)
#endif

#ifdef BREAK_FENCE              /* a lease is honoured */
#define held_by(token) (point != none)
#else
#define held_by(token) (lease == token)
#endif

#ifdef BREAK_RELEASE            /* a lease is honoured */
#define may_release(token) (point != none)
#else
#define may_release(token) belongs_to(token)
#endif

#ifdef BREAK_RECOVERY_POINT     /* never two rides */
#define is_at(recovery_point) true
#else
#define is_at(recovery_point) (point == recovery_point)
#endif

#ifdef BREAK_PATIENCE           /* every key is finished or parked */
#define hopeless false
#else
#define hopeless (completions == MOST_COMPLETIONS)
#endif

#ifdef BREAK_REAPER             /* never a lost key */
#define may_be_reaped (point != none)
#else
#define may_be_reaped (point == finished)
#endif

/* ---- The world ---------------------------------------------------------------------------------------------- */

mtype next[3] = idle;           /* what each worker is about to do */
byte  requests;                 /* of the client, under way in the service */
byte  charges;                  /* on the customer's card, for this key */
mtype remembered[4] = nothing;  /* by the provider: the outcome for each charge key */
mtype told = nothing;           /* the final answer that somebody got */

#ifdef FAULTS
byte faults_left = FAULTS, requests_left = 2;
#define spend(budget) budget--
#else
#define faults_left   true
#define requests_left true
#define spend(budget) skip
#endif

#if defined(BREAK_SERIAL)       /* what is stored is true */
#define charge_key ANOTHER_DATABASES_KEY
#elif defined(BREAK_CHARGE_KEY) /* never two charges */
#define charge_key A_KEY_OF_THIS_ATTEMPT
#else
#define charge_key A_RANDOM_KEY
#endif

/* The provider forgets hours after the charge counts as old. Nobody stalls for that long between reading the ride and
   sending the charge. Anything else may take that long. */
#ifdef BREAK_STALL              /* never two charges */
#define may_forget true
#else
#define is_charging(worker) (next[worker] == look_up || next[worker] == charge)
#define may_forget (!is_charging(1) && !is_charging(2))
#endif

/* Keys are kept for longer than any request takes. */
#ifdef BREAK_RETENTION          /* never two rides */
#define retention_is_over true
#else
#define retention_is_over (requests == 0 && late_token == NOBODY)
#endif

/* A person resumes a parked key after making sure that its charge may be sent again. */
#ifdef BREAK_PERSON             /* never two charges */
#define may_be_resumed parked
#else
#define may_be_resumed (parked && charges == 0)
#endif

/* ---- The promises ------------------------------------------------------------------------------------------- */

inline keep_promises()
{
    assert(charges <= 1);                                               /* never two charges */
    assert(rides <= 1);                                                 /* never two rides */
    assert(receipts <= 1);                                              /* never two receipts */
    assert(!parked || lease == NOBODY);                                 /* a parked key waits for a person */
    assert(rides == 0 || point != none || reaped);                      /* never a lost key */
    assert(answer == nothing || (answer == paid) == (charges == 1));    /* what is stored is true */
    assert(answer == nothing || (answer == paid) == (receipts == 1));   /* a receipt for each charge */
    assert(told == nothing || told == answer)                           /* what was told is stored */
}

/* A key is not lost, and not silent either. */
ltl ends { [] (unfinished -> <> !unfinished) }                          /* every key is finished or parked */

/* ---- Transactions ------------------------------------------------------------------------------------------- */

byte before;                    /* of no meaning between steps: always reset */
bool was_free, effective;

/* The guards are the WHERE clauses of the statements; where none matches, nothing happens. */
inline execute(transaction, token, result)
{
    before = lease; was_free = (lease == NOBODY || belongs_to(token) || ran_out);
    effective = false;
    if
    :: transaction == claim && point == none ->
        point = started; effective = true
    :: transaction == claim && may_go_on && free_for(token) ->
        effective = true
    :: transaction == take && may_go_on && free_for(token) && !hopeless ->
        effective = true; completions = (completions < MOST_COMPLETIONS -> completions + 1 : completions)
    :: transaction == take && may_go_on && free_for(token) && hopeless ->
        parked = true; lease = NOBODY; printf("the key is hopeless: parked\n")
    :: transaction == load && held_by(token) && is_at(ride_created) ->
        effective = true
    :: transaction == record && held_by(token) && is_at(ride_created) ->
        effective = true; point = finished; answer = result; lease = NOBODY;
        receipts = receipts + (result == paid -> 1 : 0)
    :: transaction == release && may_release(token) ->
        effective = true; lease = NOBODY
    :: transaction == park && held_by(token) ->
        effective = true; parked = true; lease = NOBODY
    :: else
    fi;
    if
    :: effective && (transaction == claim || transaction == take) ->
        lease = token; ran_out = false;
        if                      /* the phase behind the claim, in the same transaction */
        :: is_at(started) -> point = ride_created; rides++
        :: else
        fi
    :: else
    fi;
    ran_out = ran_out && lease != NOBODY;
    assert(lease == before || was_free);                                /* a lease is honoured */
    keep_promises();
#ifdef WITNESS
    assert(!(WITNESS));
#endif
    before = NOBODY; was_free = false
}

/* ---- Workers: the api's requests and the completer's attempts ------------------------------------------------ */

/* The attempt goes on under a new token. */
inline renew_token()
{
    if
    :: belongs_to(me) && lease != late_token && (late_token == me || late_token == doubtful(me)) ->
        late_token = LATE               /* two older ones, and the key is held by the other */
    :: else
    fi;
    lease = (lease == me -> doubtful(me) : lease);
    late_token = (late_token == me -> doubtful(me) : late_token)
}

inline retire(token)
{
    lease = (lease == token -> (late_token == token -> LATE : GONE) : lease);
    late_token = (late_token == token -> LATE : late_token)
}

inline end_attempt()
{
    next[me] = idle; result = nothing; effective = false;
    requests = requests - (client -> 1 : 0); client = false;
    retire(me);
    retire(doubtful(me))
}

inline tell(outcome)
{
    assert(told == nothing || told == outcome);                         /* what was told is stored */
    told = outcome;
    keep_promises();
    end_attempt()
}

#define sends_a_transaction \
    (next[me] == claim || next[me] == take || next[me] == load || next[me] == record || next[me] == release || \
     next[me] == park)

proctype worker(byte me)
{
    bool client;
    mtype result = nothing;

end:
    do
    /* A request of the client; the completer at an unfinished key. */
    :: d_step { next[me] == idle && requests_left && !reaped ->
        spend(requests_left); requests++; client = true; next[me] = claim
    }
    :: d_step { next[me] == idle && may_go_on && free_for(me) ->
        next[me] = take
    }

    /* A transaction: done or in vain, and the worker hears of it. */
    :: d_step { sends_a_transaction ->
        execute(next[me], me, result);
        printf("worker %d: %e, %e\n", me, next[me], (effective -> done : in_vain));
        if
        :: effective && (next[me] == claim || next[me] == take) ->
            next[me] = load; effective = false
        :: effective && next[me] == load ->
#ifdef BREAK_OLD_CHARGE         /* never two charges */
            next[me] = charge;
#else
            next[me] = (charge_is_old -> look_up : charge);
#endif
            effective = false
        :: effective && next[me] == record ->
            tell(result)
        :: !effective && next[me] == claim && point == finished ->
            tell(answer)
        :: else ->                      /* in progress elsewhere, fenced off, released, parked */
            end_attempt()
        fi
    }
    /* ... done, but the connection broke; */
    :: d_step { sends_a_transaction && faults_left ->
        spend(faults_left);
        execute(next[me], me, result);
        printf("worker %d: %e, in doubt, done\n", me, next[me]);
        next[me] = doubt; effective = false
    }
    /* ... never done; */
    :: d_step { sends_a_transaction && faults_left ->
        spend(faults_left);
        printf("worker %d: %e, in doubt, never done\n", me, next[me]);
#ifdef BREAK_STAGED_JOB         /* never two receipts */
        receipts = receipts + (next[me] == record && result == paid -> 1 : 0);
#endif
        next[me] = doubt
    }
    /* ... not done yet. */
    :: d_step { sends_a_transaction && late_token == NOBODY && faults_left ->
        spend(faults_left);
        printf("worker %d: %e, in doubt, not done yet\n", me, next[me]);
        late_token = me; late_transaction = next[me]; late_result = result;
        next[me] = doubt
    }
    /* In doubt: ask by claiming again, under a new token; or give up. */
    :: d_step { next[me] == doubt && client ->
#ifndef BREAK_DOUBT             /* what is stored is true */
        renew_token();
#endif
        printf("worker %d: asks again\n", me);
        next[me] = claim; result = nothing
    }
    :: d_step { next[me] == doubt ->
        printf("worker %d: gives up\n", me);
        next[me] = release; result = nothing
    }

    /* The foreign call, the only one that costs money. No transaction is open. */
    :: d_step { next[me] == charge && remembered[charge_key] != refused ->
        charges = charges + (remembered[charge_key] == nothing -> 1 : 0);
        remembered[charge_key] = paid;
        printf("worker %d: charges: paid\n", me);
        result = paid; next[me] = record;
        keep_promises()
    }
    :: d_step { next[me] == charge && remembered[charge_key] != paid ->
        remembered[charge_key] = refused;
        printf("worker %d: charges: refused\n", me);
        result = refused; next[me] = record;
        keep_promises()
    }
    /* The provider is away, or its answer is lost. */
    :: d_step { next[me] == charge || next[me] == record ->
        printf("worker %d: no answer\n", me);
#ifdef BREAK_UNANSWERED         /* what is stored is true */
        result = refused; next[me] = record
#else
        result = nothing; next[me] = release
#endif
    }
    :: d_step { next[me] == look_up ->
        if
        :: charges > 0  -> result = paid; next[me] = record
        :: charges == 0 -> next[me] = charge
        fi;
        printf("worker %d: looks the charge up: %e\n", me, result)
    }
    :: d_step { next[me] == look_up ->
        printf("worker %d: cannot look the charge up\n", me);
        next[me] = park
    }

    /* Anywhere. */
    :: d_step { next[me] != idle && faults_left ->
        spend(faults_left);
        printf("worker %d: crashes\n", me);
        end_attempt()
    }
    od
}

/* ---- Everybody else ------------------------------------------------------------------------------------------ */

active proctype others()
{
end:
    do
    :: d_step { late_token != NOBODY ->
        execute(late_transaction, late_token, late_result);
        printf("the late %e, %e\n", late_transaction, (effective -> done : in_vain));
        lease = (lease == LATE -> GONE : lease);
        late_token = NOBODY; late_transaction = 0; late_result = 0; effective = false
    }
    :: d_step { may_be_reaped && retention_is_over ->
        printf("the key is reaped\n");
        point = none; lease = NOBODY; ran_out = false; parked = false;
        keep_promises()
    }
    :: d_step { lease != NOBODY && !ran_out ->
        printf("the lease runs out\n");
        ran_out = true
    }
    /* A process that stops releases the leases of attempts that may still go on for a while. */
    :: d_step { lease != NOBODY && faults_left ->
        spend(faults_left);
        printf("the lease is released\n");
        lease = NOBODY; ran_out = false
    }
    :: d_step { rides > 0 && !charge_is_old ->
        printf("the charge counts as old\n");
        charge_is_old = true
    }
    :: d_step { charge_is_old && remembered[A_RANDOM_KEY] != nothing && may_forget ->
        printf("the provider forgets the charge key\n");
        remembered[A_RANDOM_KEY] = nothing
    }
    :: d_step { may_be_resumed && faults_left ->
        spend(faults_left);
        printf("a person resumes the key\n");
        parked = false; completions = 0; charge_is_old = false
    }
    od
}

init
{
    atomic {
        remembered[ANOTHER_DATABASES_KEY] = paid;
        run worker(1);
        run worker(2)
    }
}
