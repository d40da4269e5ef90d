"""`make rehearse`: the services of docker-compose.yml as processes of this machine.

Belongs here: what starts, kills and watches them, sends logs and counts rows.

    plan       docker-compose.yml -> commands and environments for this machine
    supervise  processes that are restarted as `restart: unless-stopped` would
    engine     a stand-in for the container engine: a container is a process
    tables     a stand-in for ClickHouse: its HTTP interface over chDB
    traffic    logs that are counted: every one carries a number
    views      what can be seen from outside: Dagster's GraphQL, the tables
    browser    Dagster's pages in headless Chromium
    __main__   the story
"""
