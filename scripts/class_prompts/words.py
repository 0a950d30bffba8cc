"""Fillers for the slots of templates. {a|b|c} in a template chooses; {name} is one of these."""

SLOTS = {
    "lang": "Python|TypeScript|Go|Rust|C++|C|Java|Kotlin|Ruby|PHP|Swift|Elixir|Scala|bash|SQL|Lua|C#|Haskell|Perl|Dart".split("|"),
    "sym": "parse_config|handleClick|Widget|UserRepo|to_json|retryLimit|fetchAll|Session|render|buffer_size|MAX_USERS|validate|is_admin|onClose|TokenStream|loadModel|compute_hash|cartTotal|Invoice|queue".split("|"),
    "sym2": "read_settings|onPress|Panel|AccountStore|dump|attempts|loadPage|Context|paint|capacity|USER_LIMIT|check|has_access|dispose|Scanner|openModel|digest|sumOfCart|Bill|backlog".split("|"),
    "file": "main.py|src/app.ts|lib/net.rs|server.go|index.html|style.css|utils.js|Dockerfile|config.yaml|models/user.rb|Main.java|tests/test_io.py|src/core/engine.cc|schema.sql|package.json|setup.cfg|views/home.vue".split("|"),
    "doc": "README.md|docs/setup.md|the user guide|CHANGELOG|docs/api.md|the wiki page|the reference|CONTRIBUTING.md|the handbook|the tutorial|docs/faq.md|the man page|the glossary".split("|"),
    "thing": "login|the search box|the payment page|the importer|the scheduler|caching|the upload|the sidebar|error handling|the retry logic|pagination|the cache|the export|notifications|the session store".split("|"),
    "person": "Anna|Bjorn|Chen|Dimitri|Esra|Fatima|Goran|Hiro|Ines|Jamal|Kofi|Lena|Mateo|Nadia|Olga|Priya|Quinn|Rashid|Sven|Tomas".split("|"),
    "agent": "worker-3|planner|the deploy bot|agent B|tester|scout|ops-agent|the indexer|coder-1|the triage agent".split("|"),
    "firm": "Brightmart|Nordline|Acme Hosting|PetPal|Solaris Energy|Cafe Luna|TrailGear|Finwise|Hotel Astoria|BookNest|Telvia|CloudKey".split("|"),
    "n": [str(n) for n in (2, 3, 4, 5, 7, 8, 10, 12, 15, 20, 24, 30, 42, 64, 100, 250, 1000)],
    "order": "10482|A-7731|#5520|88213|INV-2041|7719-B".split("|"),
    "product": "lamp|headphones|coat|router|coffee machine|tent|tablet|keyboard|sofa|annual plan|vacuum|sneakers|charger".split("|"),
    "tech": "Redis|Postgres|nginx|Docker|Kubernetes|git|systemd|SSH|OAuth|gRPC|WebSocket|CSS grid|MQTT|cron|TLS|HTTP/2|regex|JSON|YAML|LDAP|ssh-agent|tmux|jq|awk|rsync".split("|"),
    "concept": "a closure|a semaphore|a foreign key|a hash map|an index|garbage collection|a monad|a webhook|dependency injection|a race condition|a symlink|a container|big O notation|a JWT|memoisation|a Bloom filter|two's complement|a CDN|copy on write".split("|"),
    "place": "Norway|Peru|Kenya|Vietnam|Slovenia|Chile|Ghana|Latvia|Nepal|Oman|Fiji|Malta".split("|"),
    "time": "9:30|tomorrow morning|Monday|noon|17:00 UTC|the end of the week|in 20 minutes|tonight".split("|"),
    "channel": "#dev|#ops|the team|#release|everyone|#general|the on-call|#backend".split("|"),
    "ticket": "T-41|PROJ-220|#317|ABC-9|BUG-77|task 14".split("|"),
}
