"""nightreel as an Airflow DAG: a task a step, so that each is retried alone. Put it into the DAGs' folder.

Each task is one job; it leaves out what is done, so a task that is run again is cheap. The variables are read from
the environment of the workers: NIGHTREEL_HOME, the checkout, and NIGHTREEL_ENV.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id="nightreel",
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # two nights at once: the second would be refused
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=4)},
) as dag:

    def job(name: str) -> BashOperator:
        command = f'cd "${{NIGHTREEL_HOME:-/opt/nightreel}}" && ./spark-submit.sh {name} --run-date {{{{ ds }}}}'
        return BashOperator(task_id=name, bash_command=command)

    # The whole night decides, publishes and cleans; the steps before it save their work for a retry.
    job("ingest") >> job("prepare") >> job("nightly") >> job("report")
